"""What does every event of the public journal carry, and how is its chain hashed?"""

import hashlib
from typing import Annotated, Any, ClassVar
from uuid import UUID

import orjson
from pydantic import Field

from contracts.message import Message
from contracts.values import Actor, CaseState, Cause, Hash, Moment, PolicyRef, Ref, Text

ZERO_HASH = "0" * 64
"""``previous_hash`` of version 1."""


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


class CaseEvent(Message):
    """One decision about a case; version 1, 2, 3 ... without gaps, chained by hashes (Q4).

    ``hash`` is the lower-case hex SHA-256 over the RFC 8785 form of the data without ``hash``.
    """

    topic: ClassVar[str] = "case.events"
    key_field: ClassVar[str] = "case_id"
    case_id: UUID
    case_number: Ref
    version: Annotated[int, Field(ge=1)]
    state: CaseState
    occurred_at: Moment
    policy: PolicyRef
    cause: Cause
    by: Actor
    previous_hash: Hash
    hash: Hash = ZERO_HASH


def seal(event: "CaseEvent | CommandRejected") -> tuple[bytes, str]:
    """Return the record's bytes and their hash: the canonical data (RFC 8785), hashed, ``hash`` added as last member.

    The contracts have no floats and only ASCII field names, so sorted keys are all that RFC 8785 asks beyond what the
    encoder does anyway.
    """
    data = event.__pydantic_serializer__.to_python(event, exclude_none=True)
    data.pop("hash", None)
    body = orjson.dumps(data, option=_CANONICAL)
    digest = hashlib.sha256(body).hexdigest()
    return b'%b,"hash":"%b"}' % (body[:-1], digest.encode()), digest


def verify_hash(value: bytes) -> bool:
    """Tell whether the hash inside these bytes is that of the rest, whoever wrote them and in whatever member order."""
    data: dict[str, Any] = orjson.loads(value)
    claimed = data.pop("hash", None)
    canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return bool(claimed == hashlib.sha256(canonical).hexdigest())


class CommandRejected(Message, type="caseloop.case.command_rejected.v1"):
    """The business says no; with a version of the case, or, when there is no such case, without one."""

    topic: ClassVar[str] = "case.events"
    key_field: ClassVar[str] = "case_id"
    case_id: UUID
    command_id: Ref
    command_type: Ref
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    message: Text
    occurred_at: Moment
    policy: PolicyRef
    cause: Cause
    by: Actor
    case_number: Ref | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    state: CaseState | None = None
    previous_hash: Hash | None = None
    hash: Hash | None = None
