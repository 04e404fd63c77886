"""Which faults does a seed bring, and when does one strike?

Every seed has a weather of its own: some kinds of faults often, some seldom, some never. So a run may be all calm but
for one kind, which is where the rare pairs of events come together.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "crash",
    "expelled",
    "rebalance",
    "conflict",
    "deadlock",
    "cut",
    "commit_unanswered",
    "commit_lost",
    "publish_lost",
    "publish_unanswered",
    "publish_late",
    "delivery_late",
    "statement_slow",
    "provider_unanswered",
    "provider_lost",
    "provider_late",
    "provider_busy",
    "provider_broken",
    "receipt_again",
    "event_again",
    "event_elsewhere",
]
"""What can go wrong: processes, groups, transactions, connections, publishes, polls, the provider, the outside."""
KINDS: tuple[Kind, ...] = get_args(Kind)
OFTEN: dict[Kind, float] = {
    "crash": 0.0015,
    "expelled": 0.05,
    "rebalance": 0.004,
    "conflict": 0.01,
    "deadlock": 0.005,
    "cut": 0.005,
    "commit_unanswered": 0.03,
    "commit_lost": 0.02,
    "statement_slow": 0.15,
}
"""How likely a kind is at most, each time that it could strike; the others strike up to every fifth time."""
AT_MOST = 0.2
CALM = 0.1
"""Every tenth seed shows what holds when nothing goes wrong."""


@dataclass(slots=True)
class Faults:
    """The weather of one run."""

    chance: random.Random
    chances: dict[Kind, float] = field(default_factory=dict)
    struck: Counter[Kind] = field(default_factory=Counter)
    calm: bool = False
    """Nothing strikes: before the first contact, and while the run comes to rest."""

    def strikes(self, kind: Kind, share: float = 1.0) -> bool:
        """Tell whether this goes wrong now; a smaller share for what happens over and over and changes nothing."""
        chance = self.chances.get(kind, 0.0) * share
        if self.calm or not chance or self.chance.random() >= chance:
            return False
        self.struck[kind] += 1
        return True

    def seconds(self, shortest: float, longest: float) -> float:
        """Return how long something takes: nearly always little, sometimes nearly the longest."""
        return shortest + (longest - shortest) * self.chance.random() ** 3


def weather(chance: random.Random) -> Faults:
    """Return the weather that this source of chance draws."""
    faults = Faults(chance)
    if chance.random() < CALM:
        return faults
    for kind in KINDS:
        if chance.random() < 0.6:
            faults.chances[kind] = OFTEN.get(kind, AT_MOST) * chance.random() ** 2
    return faults
