"""Which failures does the runtime tell apart?

A refusal is a message and never comes here. What comes here is an accident: it passes by itself
(:class:`TransientError`), it never passes (:class:`PermanentError`), or the service must not start
(:class:`StartError`). Everything else that is raised is a bug.
"""

WRONG_SETTINGS = 2
"""Exit status of a service whose settings or policy are wrong: restarting cannot help."""
FAILED = 1
"""Exit status of a service that could not start or go on; a supervisor may try again."""


class CaseloopError(Exception):
    """Root of every failure that the product raises on purpose."""


class TransientError(CaseloopError):
    """The same work may succeed later: the record is retried with backoff."""


class PermanentError(CaseloopError):
    """The same work fails for ever: the record is parked as dead with ``reason``."""

    def __init__(self, detail: str, *, reason: str = "invalid_data") -> None:
        """Say what is wrong without quoting a value; ``reason`` is the code that the parking lot shows."""
        super().__init__(detail)
        self.reason = reason


class MessageTooLargeError(PermanentError):
    """A message of ours is larger than a record may be."""

    def __init__(self, detail: str) -> None:
        """Say which kind of message and how large."""
        super().__init__(detail, reason="too_large")


class StartError(CaseloopError):
    """The service must not start; each line names the key, the problem and how to fix it."""

    def __init__(self, *lines: str, exit_code: int = FAILED) -> None:
        """Keep the lines for standard error and the status to exit with."""
        super().__init__("\n".join(lines))
        self.lines = lines
        self.exit_code = exit_code


class StoppedError(CaseloopError):
    """A running service must stop now, non-zero: many dead records in a row, a loop that ended by itself."""
