"""What does a service write to its log?

One JSON object per line and per batch, never per message and never personal data: ids, counts, codes and durations.
Every event name is a :data:`Event`, so that whoever searches the logs finds the words in one place.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog

Event = Literal[
    "listening",
    "started",
    "stopping",
    "stopped",
    "stop_forced",
    "batch",
    "poll_failed",
    "parked",
    "retried",
    "timers_fired",
    "retired",
    "publish_failed",
    "publish_recovered",
    "outbox_unreadable",
    "leases",
    "loop_interrupted",
    "transaction_retried",
    "log_restarted",
    "records_missed",
    "case_too_large",
    "case_unreadable",
    "agent_unreadable",
]


class Log:
    """A JSON line writer that says in every line which service speaks."""

    def __init__(self, service: str, level: str = "info", stream: TextIO | None = None) -> None:
        """Write to standard output unless a stream is given."""
        self._bound = structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stdout),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
            service=service,
        )

    def debug(self, event: Event, **facts: object) -> None:
        """Write what only a developer wants to know."""
        self._bound.debug(event, **facts)

    def info(self, event: Event, **facts: object) -> None:
        """Write what happened in good order."""
        self._bound.info(event, **facts)

    def warning(self, event: Event, **facts: object) -> None:
        """Write what heals by itself, if it does not last."""
        self._bound.warning(event, **facts)

    def error(self, event: Event, **facts: object) -> None:
        """Write what a person must look at."""
        self._bound.error(event, **facts)


def quiet_libraries() -> None:
    """Let libraries speak only of errors, and on standard error: their lines are not JSON and may quote values."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s", force=True)
    logging.disable(logging.WARNING)  # some bring handlers and levels of their own
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
