"""How does a command fail: in one line that says what is wrong and how to fix it?"""

FAILED = 1
BAD_INPUT = 2


class CommandError(Exception):
    """A command cannot go on; the text is the line that the person reads."""

    def __init__(self, line: str, exit_code: int = FAILED) -> None:
        """Keep the line and the status to exit with: 1 in general, 2 for bad input."""
        super().__init__(line)
        self.exit_code = exit_code


def bad_input(line: str) -> CommandError:
    """Return the failure for what was typed or read wrong."""
    return CommandError(line, BAD_INPUT)
