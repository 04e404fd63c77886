"""What do people see? desk keeps the read model: the board, each case's story, and Tables 1 to 3."""
