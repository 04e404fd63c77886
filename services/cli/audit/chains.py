"""Is the journal of every case gapless, and do its hashes hold (Q4)?"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from contracts.router.event import ZERO_HASH
from services.cli.audit.findings import Findings

CHECK = "chain"


@dataclass(slots=True)
class Chains:
    """The chain of every case, as far as it has been read."""

    findings: Findings
    from_start: bool = True
    """Whether the first event that is read of a case must be version 1."""
    chains: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    """Case to its first version and the hashes from there on."""
    events: int = 0
    duplicates: int = 0
    without_case: int = 0
    """Refusals of commands to cases that never were: they have no version."""

    def take(self, value: bytes | None, key: bytes | None, place: str) -> Mapping[str, Any]:
        """Add the next event in the order of its partition and return its data, empty when it cannot be read."""
        try:
            data = orjson.loads(value or b"")
            case_id, version = str(data["case_id"]), data.get("version")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            self.findings.add(CHECK, place, "not an event of a case")
            return {}
        self.events += 1
        if key != case_id.encode():
            self.findings.add(CHECK, place, "its key is not its case")
        if version is None:
            self.without_case += 1
        else:
            self._link(data, case_id, int(version), place)
        return dict(data)

    def _link(self, data: Mapping[str, Any], case_id: str, version: int, place: str) -> None:
        where = f"case {case_id} version {version} ({place})"
        claimed = str(data.get("hash"))
        if claimed != _hash(data):
            self.findings.add(CHECK, where, "its hash is not that of its data")
        known = self.chains.get(case_id)
        if known is None:
            self._begin(data, case_id, version, where)
            return
        first, hashes = known
        following = first + len(hashes)
        if version < following:
            self._again(hashes, version - first, claimed, where)
            return
        if version > following:
            missing = f"version {following}" if version == following + 1 else f"versions {following} to {version - 1}"
            self.findings.add(CHECK, where, f"{missing} missing before it")
            hashes.extend([""] * (version - following))
        elif data.get("previous_hash") != hashes[-1]:
            self.findings.add(CHECK, where, "its previous_hash is not the hash of the event before it")
        hashes.append(claimed)

    def _begin(self, data: Mapping[str, Any], case_id: str, version: int, where: str) -> None:
        if version == 1 and data.get("previous_hash") != ZERO_HASH:
            self.findings.add(CHECK, where, "the first event has a previous_hash")
        if version > 1 and self.from_start:
            self.findings.add(CHECK, where, "the beginning of the chain is missing")
        self.chains[case_id] = (version, [str(data.get("hash"))])

    def _again(self, hashes: list[str], place: int, claimed: str, where: str) -> None:
        """Judge an event that was there before: the very same is a repeat, anything else is a second story."""
        if place < 0 or hashes[place] == claimed:
            self.duplicates += 1
        else:
            self.findings.add(CHECK, where, "two different events have this version")


def _hash(data: Mapping[str, Any]) -> str:
    """Return the hash as the contract defines it: SHA-256 of the RFC 8785 form of the data without ``hash``."""
    body = {name: value for name, value in data.items() if name != "hash"}
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
