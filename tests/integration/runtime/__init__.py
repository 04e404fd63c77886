"""The floor under every service."""
