"""What does an audit find, and what can be done about it?"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contracts.case_number import case_number
from services.cli.audit.repairs import Repair

FINDINGS_MAX = 1000
"""So many are kept in words; the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a record lies; topics are named without a deployment's prefix."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return the spot as people write it."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: which check, where, what is wrong, and what to do about it."""

    check: str
    where: str
    problem: str
    advice: str = ""
    case_id: UUID | None = None
    spot: Spot | None = None
    repair: Repair | None = None

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "check": self.check,
            "where": self.where,
            "problem": self.problem,
            "advice": self.advice,
            "case_id": self.case_id,
            "case_number": case_number(self.case_id) if self.case_id else None,
            "topic": self.spot.topic if self.spot else None,
            "partition": self.spot.partition if self.spot else None,
            "offset": self.spot.offset if self.spot else None,
            "repair": self.repair.words() if self.repair else None,
        }


@dataclass(slots=True)
class Findings:
    """All of them."""

    listed: list[Finding] = field(default_factory=list)
    total: int = 0
    broken: set[str] = field(default_factory=set)
    """The checks that found something."""

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        self.total += 1
        self.broken.add(finding.check)
        if len(self.listed) < FINDINGS_MAX:
            self.listed.append(finding)

    def join(self, others: "Findings") -> None:
        """Keep what a part of the audit found."""
        self.total += others.total
        self.broken |= others.broken
        self.listed.extend(others.listed[: FINDINGS_MAX - len(self.listed)])
