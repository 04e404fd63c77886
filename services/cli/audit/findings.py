"""What does an audit find?"""

from dataclasses import asdict, dataclass, field
from typing import Any

FINDINGS_MAX = 1000
"""So many are kept in words; the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: which check, where, and what is wrong."""

    check: str
    where: str
    problem: str


@dataclass(slots=True)
class Findings:
    """All of them."""

    listed: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, check: str, where: str, problem: str) -> None:
        """Keep a finding."""
        self.total += 1
        if len(self.listed) < FINDINGS_MAX:
            self.listed.append(Finding(check, where, problem))

    def documents(self) -> list[dict[str, Any]]:
        """Return them for JSON."""
        return [asdict(finding) for finding in self.listed]
