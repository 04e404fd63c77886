"""What can be wrong with a history?"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["lost", "doubled", "reordered", "gapped", "skipped", "early", "late", "unseen", "stuck", "forged"]
"""
* lost: promised or decided, and gone; * doubled: one cause, two effects; * reordered: it came before its predecessor;
* gapped: the story goes on and a part in between never came; * skipped: a reader went past it without an effect;
* early, late: before its time, or too long after it; * unseen: it stands there and nobody has read it;
* stuck: it waits for something that does not come; * forged: it is not what was said.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)
SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold."""

    kind: Kind
    where: str
    problem: str

    def __str__(self) -> str:
        """Say it on one line."""
        return f"{self.kind}: {self.where}: {self.problem}"


@dataclass(slots=True)
class Verdict:
    """All that does not hold, and what was counted on the way."""

    findings: list[Finding] = field(default_factory=list)
    repeats: int = 0
    """Records that stand twice, byte for byte: readers recognise them, so they are no fault."""
    lateness_seconds: list[float] = field(default_factory=list)
    """How long after its time each timer's message was decided."""
    cases: int = 0
    events: int = 0

    def add(self, kind: Kind, where: str, problem: str) -> None:
        """Keep a finding."""
        self.findings.append(Finding(kind, where, problem))

    def count(self, *kinds: Kind) -> int:
        """Return how many findings are of these kinds."""
        return sum(finding.kind in kinds for finding in self.findings)

    def kinds(self) -> "Counter[Kind]":
        """Return how many there are of each kind."""
        return Counter(finding.kind for finding in self.findings)

    def __str__(self) -> str:
        """Say how many there are and show the first."""
        shown = "\n".join(map(str, self.findings[:SHOWN_MAX]))
        return f"{len(self.findings)} findings {dict(self.kinds())}\n{shown}"
