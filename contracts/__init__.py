"""What we say: every message and policy type that crosses a wire, and nothing that runs."""
