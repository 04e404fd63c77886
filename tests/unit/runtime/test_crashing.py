"""Does a process end exactly at the named point, and never unless somebody asked?"""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from services.runtime.crashing import crash_point
for place in ("after_consume", "before_commit") * 3:
    crash_point(place)
    print(place, flush=True)
"""


def passed(armed: str) -> tuple[int, int]:
    """Return how many points were passed, and the exit status."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"CASELOOP_CRASH_AT": armed}, capture_output=True, check=False
    )
    return len(done.stdout.splitlines()), done.returncode


@pytest.mark.parametrize(("armed", "points"), [("before_commit", 1), ("before_commit:3", 5), ("after_consume:2", 2)])
def test_it_ends_there_the_time_that_was_asked_for(armed: str, points: int) -> None:
    assert passed(armed) == (points, -signal.SIGKILL)


def test_nobody_asked() -> None:
    assert passed("") == (6, 0)


def test_it_stands_still_there_and_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env={"CASELOOP_CRASH_AT": "before_commit:3:STOP"}, stdout=subprocess.PIPE
    ) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None
        assert len(process.stdout.read().splitlines()) == 6
