"""What does a person see of a parked record, and what only when what may be personal is asked for?"""

from datetime import datetime
from typing import Any

from services.cli.masking import ATTRIBUTES, MASK, masked
from services.runtime.parking import Parked
from services.runtime.parking_lot import Action


def item_of(service: str, parked: Parked) -> dict[str, Any]:
    """Return what `caseloop parked list` shows: where the record stands and what was wrong, nothing of its data."""
    headers = dict(parked.record.headers)
    return {
        "id": f"{service}:{parked.parked_id}",
        "service": service,
        "status": parked.status,
        "reason": parked.reason,
        "detail": parked.detail,
        "topic": parked.record.topic,
        "partition": parked.record.partition,
        "offset": parked.record.offset,
        "ce_id": _readable(headers.get("ce_id")),
        "ce_type": _readable(headers.get("ce_type")),
        "attempt": parked.attempt,
        "next_attempt_at": _time(parked.next_attempt_at),
        "parked_at": _time(parked.parked_at),
    }


def content_of(parked: Parked, *, personal: bool) -> dict[str, Any]:
    """Return key, headers and value, as text where they are text, else in hexadecimal digits; or what may be shown."""
    record = parked.record
    if personal:
        return {
            "key": _readable(record.key),
            "headers": {name: _readable(value) for name, value in record.headers},
            "value": _readable(record.value),
            "value_hex": record.value.hex() if record.value is not None else None,
        }
    known = {name: _readable(value) for name, value in record.headers if name in ATTRIBUTES}
    return {
        "key": _readable(record.key),
        "headers": {**known, **({MASK: MASK} if any(name not in ATTRIBUTES for name, _ in record.headers) else {})},
        "value": masked(record.value, known.get("ce_type")),
    }


def action_of(action: Action) -> dict[str, Any]:
    """Return who did what with the record, when and why."""
    return {"action": action.action, "by": action.by, "reason": action.reason, "at": _time(action.at)}


def _readable(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"hex:{raw.hex()}"


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
