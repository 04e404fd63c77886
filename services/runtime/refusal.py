"""How is it said that a record cannot be read?"""

from dataclasses import dataclass
from typing import NoReturn

from services.runtime.endings import Reason


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a record cannot be read: a code of the interface and a detail without values."""

    reason: Reason
    detail: str


class RefusedError(Exception):
    """Carries the answer out of the depths of reading."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the answer."""
        super().__init__(reason)
        self.answer = Unreadable(reason, detail)


def refuse(reason: Reason, detail: str) -> NoReturn:
    """Stop reading this record."""
    raise RefusedError(reason, detail)
