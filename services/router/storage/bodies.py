"""How does a case look in its row, and when need it not be read anew?

A process that saved a case mostly loads it next. The cache answers only when the row holds the very bytes that were
read or written before: whatever another replica did, or a rollback undid, is read as if there were no cache.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import orjson
from pydantic import ValidationError

from contracts.topics import RECORD_BYTES_MAX
from contracts.values import Value
from services.router.domain.case import OPEN, Case
from services.router.domain.unchecked import share_names
from services.runtime.errors import CaseloopError, MessageTooLargeError

OPEN_MAX, OTHERS_MAX = 2816, 768
"""Cases that are kept, at 8 to 10 kB each; one that is solved or over is seldom loaded once its messages are sent."""
BYTES_MAX = 8192
"""A longer body is not kept: it costs more memory than its reading costs time."""
BODY_BYTES_MAX = RECORD_BYTES_MAX - 4096
"""A larger case could not be told as a snapshot, which holds little more than the body."""
LASTING = frozenset(
    {
        "case_id",
        "opened_at",
        "customer",
        "contact",
        "text",
        "facts",
        "classification",
        "priority",
        "department",
        "skills",
    }
)
"""Fields that nearly every change leaves alone, and two thirds of a body: they are encoded once for a case."""


class UnreadableCaseError(CaseloopError):
    """A stored case that is no case: the row was changed by another hand than the router's."""

    def __init__(self, case_id: UUID) -> None:
        """Name the case, and no word of it."""
        super().__init__(f"the stored case {case_id} cannot be read: mend its body in the router's table")
        self.case_id = case_id


class CaseTooLargeError(MessageTooLargeError):
    """A case that no snapshot could hold."""

    def __init__(self, case_id: UUID, size: int) -> None:
        """Name the case and its bytes."""
        super().__init__(f"the case {case_id} has {size} bytes, it may have {BODY_BYTES_MAX}")
        self.case_id = case_id


class _Kept(NamedTuple):
    body: bytes
    case: Case
    lasting: int = 0
    """How many bytes of the body tell the lasting fields, and the comma; none before the case was written here."""


_open: OrderedDict[UUID, _Kept] = OrderedDict()
_others: OrderedDict[UUID, _Kept] = OrderedDict()
"""The last body of each case that was seen here, the longest unchanged first (a dict is slow to give up its first)."""


def write(case: Case) -> bytes:
    """Return the whole case as JSON; ``CaseTooLargeError`` when no snapshot could hold it."""
    fields = vars(case)
    lasting = _lasting(case, fields)
    moving = _json({name: value for name, value in fields.items() if value is not None and name not in LASTING})
    body = lasting + moving[1:]
    if len(body) > BODY_BYTES_MAX:
        raise CaseTooLargeError(case.case_id, len(body))
    _keep(case.case_id, _Kept(body, case, len(lasting)))
    return body


def _lasting(case: Case, fields: Mapping[str, object]) -> bytes:
    known = _known(case.case_id)
    before = None if known is None else vars(known.case)
    same = before is not None and all(fields[name] is before[name] for name in LASTING)
    if known is not None and known.lasting and same:
        return known.body[: known.lasting]
    if not same:  # else they shared their names when they were read
        share_names(case)
    return _json({name: fields[name] for name in LASTING})[:-1] + b","


def _json(fields: Mapping[str, object]) -> bytes:
    """Return what pydantic would write, absent fields left out, at half its price."""
    return orjson.dumps(fields, default=_members, option=orjson.OPT_UTC_Z)


def _members(value: Value) -> dict[str, object]:
    return {name: member for name, member in vars(value).items() if member is not None}


def read(case_id: UUID, body: bytes) -> Case:
    """Return the case in these bytes; the same bytes give the same case; ``UnreadableCaseError`` for others."""
    known = _known(case_id)
    if known is not None and known.body == body:
        return known.case
    try:
        case = Case.model_validate_json(body, extra="ignore")
    except ValidationError:
        raise UnreadableCaseError(case_id) from None  # the cause quotes what the customer said
    share_names(case)
    _keep(case_id, _Kept(body, case))
    return case


def _known(case_id: UUID) -> _Kept | None:
    return _open.get(case_id) or _others.get(case_id)


def _keep(case_id: UUID, kept: _Kept) -> None:
    _open.pop(case_id, None)
    _others.pop(case_id, None)
    if len(kept.body) > BYTES_MAX:
        return
    cases, most = (_open, OPEN_MAX) if kept.case.state in OPEN else (_others, OTHERS_MAX)
    if len(cases) >= most:
        cases.popitem(last=False)
    cases[case_id] = kept
