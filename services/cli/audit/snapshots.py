"""Does the state that the router's table holds agree with the state that it told last (``case.snapshots``)?

What a snapshot says is the stored case, field by field. Both are brought into one form and compared by a digest, so
that one changed byte of either is seen.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from contracts.case_number import case_number
from contracts.router import CaseSnapshot, SnapshotOffer, SnapshotPromise
from services.cli.audit.runs import Fact, Sorter
from services.cli.reading import Record

SNAPSHOT = "snapshot"
_NOT_STORED = frozenset({"policy", "case_number", "record_no"})
"""What the router adds when it tells a state."""
_FIELDS = tuple(name for name in CaseSnapshot.model_fields if name not in _NOT_STORED)
_OFFER, _PROMISE = tuple(SnapshotOffer.model_fields), tuple(SnapshotPromise.model_fields)
_DEFAULTS: Mapping[str, Any] = {"version": 0, "cycle": 1, "supervisor_needed": False}


def digest_of(case: Mapping[str, Any]) -> bytes:
    """Return what stands for the state in a stored case or a snapshot."""
    return hashlib.sha256(orjson.dumps(state_of(case), option=orjson.OPT_SORT_KEYS)).digest()[:16]


def state_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a stored case that a snapshot tells."""
    known = {**_DEFAULTS, **case}
    state = {name: known[name] for name in _FIELDS if known.get(name) is not None}
    if "offer" in state:
        state["offer"] = {name: state["offer"].get(name) for name in _OFFER}
    if "promises" in state:
        state["promises"] = [
            {name: {"state": "open", **each}.get(name) for name in _PROMISE} for each in state["promises"]
        ]
    return state


def value_of(case: Mapping[str, Any], policy: Mapping[str, Any]) -> bytes:
    """Return the snapshot's bytes of a stored case."""
    number = case_number(UUID(case["case_id"]))
    return orjson.dumps({**state_of(case), "case_number": number, "record_no": number, "policy": policy})


def take_snapshot(record: Record, cases: Sorter) -> bool:
    """Put the state down that this record tells, and return whether it could be read."""
    try:
        data = orjson.loads(record.value or b"")
        cases.add(
            UUID(data["case_id"]).bytes,
            (SNAPSHOT, record.partition, record.offset, int(data["version"]), digest_of(data)),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def latest(facts: Iterable[Fact]) -> Fact | None:
    """Return the last snapshot of a case."""
    told: Fact | None = None
    for fact in facts:
        if fact[0] == SNAPSHOT:
            told = later(told, fact)
    return told


def later(told: Fact | None, other: Fact) -> Fact:
    """Return which of two snapshots of a case is the last."""
    return other if told is None or (other[3], other[2]) > (told[3], told[2]) else told
