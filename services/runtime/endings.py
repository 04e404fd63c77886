"""How can a record end? There are four ways, and each is a value."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Reason = Literal[
    "malformed_envelope",
    "malformed_json",
    "unknown_type",
    "unknown_version",
    "invalid_data",
    "too_large",
    "wrong_topic",
    "handler_failed",
    "conflict",
    "behind",
]
"""The first seven are for records that cannot be read; the last three are ours: a bug, a conflict that did not pass
by itself, and an earlier message of the same key that waits for its retry."""


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is stored; a refusal by the business is an effect too."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The effect had been stored before."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The record is parked and will be tried again; later records of its key park behind it."""

    reason: Reason
    detail: str
    next_attempt_at: datetime
    tried: bool = True
    """Whether the handler has seen it; a record that parks behind another has not been tried."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The record is parked byte for byte until a person acts."""

    reason: str
    detail: str
    tried: bool = False


Ending = Done | Duplicate | Retry | Dead


@dataclass(slots=True)
class Tally:
    """How the records of one piece of work ended; ``skipped`` are known types that the service does not want."""

    done: int = 0
    duplicate: int = 0
    retry: int = 0
    dead: int = 0
    skipped: int = 0
    said: int = 0

    @property
    def records(self) -> int:
        """Return how many records there were."""
        return self.done + self.duplicate + self.retry + self.dead + self.skipped

    def add(self, other: "Tally") -> None:
        """Add another piece's endings to these."""
        self.done += other.done
        self.duplicate += other.duplicate
        self.retry += other.retry
        self.dead += other.dead
        self.skipped += other.skipped
        self.said += other.said
