"""An AWS account on this machine: what the project is deployed to, really, by its tests."""
