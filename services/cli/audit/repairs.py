"""Which repairs are there? Each lets the owner of the matter act again, none changes what a service remembers."""

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

TimerKind = Literal["case_wake", "offer_expires"]
"""What followup and the router call the timers that may be lost."""


@dataclass(frozen=True, slots=True)
class PublishAgain:
    """A channel event that nobody recorded is published again with its id; the duplicate guard makes that harmless."""

    topic: str
    partition: int
    offset: int

    def words(self) -> str:
        """Return what is done, in words."""
        return f"publish {self.topic}/{self.partition}@{self.offset} again with the same id"


@dataclass(frozen=True, slots=True)
class TellContact:
    """A contact that led to nothing is said again by intake, through its outbox."""

    partition: int
    offset: int

    def words(self) -> str:
        """Return what is done, in words."""
        return f"let intake say contacts/{self.partition}@{self.offset} again with the same id"


@dataclass(frozen=True, slots=True)
class TellEvents:
    """Events that the journal lacks are said again by the router, byte for byte as desk recorded them."""

    case_id: UUID
    first: int
    last: int

    def words(self) -> str:
        """Return what is done, in words."""
        what = f"version {self.first}" if self.first == self.last else f"versions {self.first} to {self.last}"
        return f"let the router say {what} of case {self.case_id} again, as desk recorded it"


@dataclass(frozen=True, slots=True)
class TellSnapshot:
    """The latest state of a case is said again by the router, through its outbox."""

    case_id: UUID

    def words(self) -> str:
        """Return what is done, in words."""
        return f"let the router tell the state of case {self.case_id} again"


@dataclass(frozen=True, slots=True)
class SetTimer:
    """A lost timer is set anew; when it fires its service looks at the case, and sets it as it must be."""

    service: Literal["followup", "router"]
    kind: TimerKind
    timer_id: UUID
    case_id: UUID
    due_at: str = ""
    """When, RFC 3339; at once when it is empty."""

    def words(self) -> str:
        """Return what is done, in words."""
        return f"set the timer {self.kind} of case {self.case_id} anew in {self.service}"


Repair: TypeAlias = PublishAgain | TellContact | TellEvents | TellSnapshot | SetTimer
