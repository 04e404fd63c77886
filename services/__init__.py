"""What runs: the runtime floor, five services that stand on it, and the command line."""
