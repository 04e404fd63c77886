"""Is a record sealed just as we seal ours, so that its envelope needs no closer look?

Nearly all that a service reads another of ours has written, and a glance costs half of a closer look. It finds what
that would find; whatever is in doubt is left to it, as are the words for what is wrong.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from services.runtime.structured import JSON_TYPE

OURS = "caseloop/"
"""Sources of ours begin like this; their ids are derived UUIDs already."""
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""Trace, span and flags (W3C Trace Context, version 00)."""

_JSON = JSON_TYPE.encode()
_ID_MAX = 36
_SOURCE_MAX = 64


class Seen(NamedTuple):
    """What stands on a record, as it is told in ``Received``."""

    message_id: UUID
    ce_id: str
    source: str
    time: datetime
    traceparent: str | None
    key: str


def glance(headers: Mapping[str, Any], key: bytes) -> Seen | None:
    """Return what stands on a record of ours; ``None`` when that takes a closer look."""
    if headers.get("content-type") != _JSON or headers.get("ce_specversion") != b"1.0":
        return None
    try:
        ce_id, trace = headers["ce_id"].decode(), headers["traceparent"].decode()
        time = datetime.fromisoformat(headers["ce_time"].decode())
        seen = Seen(UUID(ce_id), ce_id, _source(headers["ce_source"]), time, trace, key.decode())
    except (KeyError, AttributeError, ValueError):  # missing, without a value, or not what it should be
        return None
    plain = len(ce_id) <= _ID_MAX and ce_id.isprintable() and time.tzinfo is UTC and "\0" not in seen.key
    return seen if plain and TRACEPARENT.fullmatch(trace) else None


@lru_cache(maxsize=64)
def _source(raw: bytes) -> str:
    source = raw.decode()
    if not source.startswith(OURS) or not source.isprintable() or len(source) > _SOURCE_MAX:
        raise ValueError
    return source
