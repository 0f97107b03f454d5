"""What runs on the laptop, for Zappa: the package, the role's policy, setting an account up, deploying and looking."""
