"""What people decide over plugins, runners and runs: protecting needs one, trusting again two."""
