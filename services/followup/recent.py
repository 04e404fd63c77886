"""Which cases need not be read anew, since this process read or wrote them lately?

The events of a case come in bursts, and making a case out of its body each time was the largest part of following it.
What is kept needs no care, neither after a rollback nor when another replica wrote the case: it is used only where the
body in the database has the very hash of the body that it was read from or written to.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from services.followup.domain.state import CaseFollowup

KEPT_MAX = 4096
"""How many cases a process keeps, at 5 to 10 kB each."""


class Known(NamedTuple):
    """A case, and the hash of the body that says the same."""

    body_hash: bytes | None = None
    state: CaseFollowup | None = None


NOTHING = Known()


class RecentCases:
    """The cases that were read or written last."""

    __slots__ = ("_cases", "_kept_max")

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        """Begin with none."""
        self._cases: OrderedDict[UUID, Known] = OrderedDict()
        self._kept_max = kept_max

    def known(self, case_id: UUID) -> Known:
        """Return what is known of a case; ask once, for it may be replaced while PostgreSQL is waited for."""
        return self._cases.get(case_id, NOTHING)

    def keep(self, body: bytes, state: CaseFollowup) -> None:
        """Remember what this body says; the case that was kept first is forgotten when there are too many."""
        self._cases.pop(state.case_id, None)
        self._cases[state.case_id] = Known(sha256(body).digest(), state)
        if len(self._cases) > self._kept_max:
            self._cases.popitem(last=False)
