"""What do we say when a local server cannot be had?"""


class LocalServerError(Exception):
    """One line for a person: which server, what went wrong, and what to do about it."""
