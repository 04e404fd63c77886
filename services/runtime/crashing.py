"""Where does a test end this process as ``kill -9`` would, at an exact place of a message's journey?

``CASELOOP_CRASH_AT=before_commit:3`` ends it when it comes there for the third time, ``before_commit:3:STOP`` makes it
stand still there, until somebody sends SIGCONT. Nobody sets it outside of tests; then a point is one comparison.
"""

import os
import signal
from typing import Literal

from services.runtime.configuration import ENVIRONMENT

Point = Literal[
    "after_consume", "after_validate", "before_commit", "after_commit", "after_produce", "before_offset_commit"
]
_armed, _, _rest = ENVIRONMENT.get("CASELOOP_CRASH_AT", "").partition(":")
_times, _, _how = _rest.partition(":")
_passes = iter(range(int(_times or 1) - 1))


def crash_point(here: Point) -> None:
    """End the process if it is to end here, the n-th time it passes."""
    if here == _armed and next(_passes, None) is None:
        os.kill(os.getpid(), signal.Signals[f"SIG{_how or 'KILL'}"])
