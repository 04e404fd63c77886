"""How does a case look in its row, and when need it not be read anew?

A process that saved a case mostly loads it next. The cache answers only when the row holds the very bytes that were
read or written before: whatever another replica did, or a rollback undid, is read as if there were no cache.
"""

from uuid import UUID

from contracts.topics import RECORD_BYTES_MAX
from services.router.domain.case import Case
from services.runtime.errors import MessageTooLargeError

CASES_MAX = 4096
BYTES_MAX = 8192
"""A longer body is not kept: it costs more memory than its reading costs time."""
BODY_BYTES_MAX = RECORD_BYTES_MAX - 4096
"""A larger case could not be told as a snapshot, which holds little more than the body."""

_known: dict[UUID, tuple[bytes, Case]] = {}
"""The last body of each case that was seen here, the longest unseen first."""


def write(case: Case) -> bytes:
    """Return the whole case as JSON; ``MessageTooLargeError`` when no snapshot could hold it."""
    body = case.__pydantic_serializer__.to_json(case, exclude_none=True)
    if len(body) > BODY_BYTES_MAX:
        raise MessageTooLargeError(f"the case {case.case_id} has {len(body)} bytes, it may have {BODY_BYTES_MAX}")
    _keep(case.case_id, body, case)
    return body


def read(case_id: UUID, body: bytes) -> Case:
    """Return the case in these bytes; the same bytes give the same case."""
    known = _known.get(case_id)
    if known is not None and known[0] == body:
        return known[1]
    case = Case.model_validate_json(body, extra="ignore")
    _keep(case_id, body, case)
    return case


def _keep(case_id: UUID, body: bytes, case: Case) -> None:
    _known.pop(case_id, None)
    if len(body) > BYTES_MAX:
        return
    if len(_known) >= CASES_MAX:
        del _known[next(iter(_known))]
    _known[case_id] = body, case
