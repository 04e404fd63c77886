"""What does ``case.snapshots`` say of a case? It is taken out of the stored case, field by field."""

from collections.abc import Mapping
from typing import Any

from contracts.router import CaseSnapshot, SnapshotOffer, SnapshotPromise
from contracts.values import PolicyRef

_FIELDS = tuple(CaseSnapshot.model_fields)
_DEFAULTS: Mapping[str, Any] = {"version": 0, "cycle": 1, "supervisor_needed": False}
"""What bodies of an earlier release leave out."""


def snapshot(body: Mapping[str, Any], case_number: str, policy: PolicyRef) -> dict[str, Any]:
    """Return the data of the snapshot of the case with this body (plain JSON values, both)."""
    known = {
        **_DEFAULTS,
        **body,
        "case_number": case_number,
        "record_no": case_number,
        "policy": {"name": policy.name, "version": policy.version},
    }
    data = {name: known[name] for name in _FIELDS if known.get(name) is not None}
    if "offer" in data:
        data["offer"] = {name: data["offer"][name] for name in SnapshotOffer.model_fields}
    if "promises" in data:
        data["promises"] = [_promise(each) for each in data["promises"]]
    return data


def _promise(promise: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"state": "open", **promise}
    return {name: shown[name] for name in SnapshotPromise.model_fields}
