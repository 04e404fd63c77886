"""What does a failure mean for the record that was in hand?"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from services.runtime.database import AWAY, PASSING, is_away
from services.runtime.endings import Dead, Reason, Retry
from services.runtime.errors import PermanentError, TransientError
from services.runtime.parking import Backoff

ROOT = Path(__file__).resolve().parents[2]

UNFIT = (
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.OutOfMemoryError,
)
"""The server answers and cannot work: as good as away, and no record is to blame."""


IMPATIENT = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
"""Time has been lost already: take the work apart at once, so that only what is stuck waits."""


class PostgresAwayError(TransientError):
    """PostgreSQL cannot be reached or cannot work: nothing has an ending, try again when it is back."""


class HandlerFailedError(Exception):
    """The handler or one of its messages failed; the cause is chained."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record did not get its effect."""

    reason: Reason
    detail: str
    permanent: bool = False
    code: str | None = None
    """A reason code that the handler chose itself."""
    locked: bool = False
    """Somebody held a lock for longer than we wait: whoever has the other rows must not wait as long again."""

    def ending(self, attempt: int, backoff: Backoff, now: datetime) -> Retry | Dead:
        """Return the ending after so many attempts, this one included.

        A conflict is nobody's fault and passes by itself, though it may take long: it is tried until it has passed.
        """
        if self.permanent or (self.reason != "conflict" and attempt >= backoff.attempts_max):
            return Dead(self.code or self.reason, self.detail, tried=True)
        return Retry(self.reason, self.detail, backoff.next_attempt_at(attempt, now))


def postgres_is_away(error: BaseException) -> bool:
    """Tell whether the server is to blame; other errors of the operating system in a handler are bugs."""
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return False
    return is_away(error) or isinstance(error, UNFIT)


@contextmanager
def needing_postgres() -> Iterator[None]:
    """Say :class:`PostgresAwayError` for every way in which a connection is lost or cannot be had."""
    try:
        yield
    except (*AWAY, asyncpg.PostgresError) as error:
        if postgres_is_away(error):
            raise PostgresAwayError(type(error).__name__) from error
        raise


def judge(error: Exception) -> Failure:
    """Return what a failure inside a transaction means; the detail names a class and a place and quotes nothing."""
    cause = error.__cause__ if isinstance(error, HandlerFailedError) and error.__cause__ else error
    detail = f"{type(cause).__name__} at {_place(cause)}"
    if isinstance(cause, PASSING):
        return Failure("conflict", detail, locked=isinstance(cause, asyncpg.LockNotAvailableError))
    if isinstance(cause, PermanentError):
        return Failure("handler_failed", detail, permanent=True, code=cause.reason)
    return Failure("handler_failed", detail)


def _place(error: BaseException) -> str:
    """Return the innermost line of ours on the way to the failure."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.lineno}"
    return "an unknown place"
