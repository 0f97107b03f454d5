"""What runs on the deployer's machine: the package, the role's policy, account set-up, deploying and checking."""
