"""What runs on the laptop for Zappa."""
