"""What happens between typing ``caseloop ...`` and an exit status?"""

import logging
import sys

from cyclopts import CycloptsError

from services.cli.app import app
from services.cli.failures import BAD_INPUT, FAILED, CommandError

INTERRUPTED = 130
BROKEN_PIPE = 141


def main() -> None:
    """Run the command that was typed and exit with its status; every failure is one line on standard error."""
    sys.exit(status_of(sys.argv[1:]))


def status_of(words: list[str]) -> int:
    """Run the command in these words and return its exit status."""
    logging.disable(logging.CRITICAL)  # what a library has to say about a lost connection, we say in a line of ours
    try:
        result = _result_of(words)
    except CycloptsError as problem:
        return _told(_one_line(str(problem)), BAD_INPUT)
    except CommandError as problem:
        return _told(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return BROKEN_PIPE
    except _failures_of_the_floor() as problem:  # evaluated only when something failed: the imports are slow
        return _told(_line_of(problem), getattr(problem, "exit_code", FAILED))
    return result if isinstance(result, int) else 0


def _result_of(words: list[str]) -> object:
    """Return what the command returns; of what failed side by side only the failure that began it comes out."""
    try:
        return app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except BaseExceptionGroup as failures:
        from services.runtime.lifecycle import first_failure

        raise first_failure(failures) from None


def _failures_of_the_floor() -> tuple[type[BaseException], ...]:
    """Return what servers and settings do to us; anything else is a bug and keeps its traceback."""
    from aiokafka.errors import KafkaError

    from deploy.local import LocalServerError
    from services.runtime.database import AWAY
    from services.runtime.errors import CaseloopError

    return (CaseloopError, LocalServerError, KafkaError, *AWAY)


def _line_of(problem: BaseException) -> str:
    from aiokafka.errors import KafkaError

    from services.runtime.database import AWAY

    if not isinstance(problem, (KafkaError, *AWAY)):
        return str(problem)
    what = str(problem).removeprefix(f"{type(problem).__name__}: ")  # an error of Kafka's client begins with its name
    return _one_line(f"a server is out of reach ({type(problem).__name__}: {what}); look with `caseloop status`")


def _told(line: str, status: int) -> int:
    sys.stderr.write("".join(f"caseloop: {each}\n" for each in line.splitlines()))
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
