"""When does a consumer fetch, and how does an idle one wait without sleeping past what arrives?

aiokafka (0.14) fetches ahead: what it has when a turn begins was asked for when the turn before began, and what arrived
since then waits for the turn after. So here nothing is fetched while a turn lasts. Between a turn and the next poll
lies a rest (ADR 0014): it lets more arrive, and leaves the processors to others. Its end is time for every broker to
answer: else a turn would hold what the quickest had, and the next what the others had.

After an empty poll FastStream (0.7) sleeps as long as it polled. A record that arrives meanwhile lies there: 5 ms on
average and 20 ms at worst with polls of 20 ms, at every hop of a case. So here no poll comes back empty, and a poll may
wait for long: what arrives ends it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
LEAD_SECONDS = 0.005
"""So long before the end of a rest it is fetched."""


@dataclass(frozen=True, slots=True)
class Rest:
    """For how long a service reads nothing after a turn (ADR 0014, 0018)."""

    turns: float = 0.0
    """How many times as long as the turn: the more, the longer others can wait for what it does, and the less is spent
    on small batches."""
    seconds_max: float = 0.1
    """However long the turn was."""

    def seconds(self, took: float) -> float:
        """Return the rest after a turn of so many seconds."""
        return min(took * self.turns, self.seconds_max)


NO_REST = Rest()
UNHURRIED = Rest(turns=20.0, seconds_max=0.25)
"""Of a service whose work is as good a quarter of a second later."""


def install(consumer: AIOKafkaConsumer, rest: Rest) -> None:
    """Let this consumer fetch when it has rested, not while a turn lasts; no poll is empty.

    It does not rest while more is waiting than it was given. It is stopped by cancelling whoever polls. aiokafka has no
    public way to fetch later: while nobody polls it is not asked what it has to do, which means a look at every
    partition.
    """
    poll, fetcher, clock = consumer.getmany, consumer._fetcher, asyncio.get_running_loop().time  # noqa: SLF001 - see above
    actions = fetcher._get_actions_per_node  # noqa: SLF001 - see above
    nothing: tuple[Any, ...] = ([], {}, fetcher._fetcher_timeout, False, [])  # noqa: SLF001 - see above
    polled, behind, turn_began = False, False, clock()

    def actions_now(assignment: Any) -> tuple[Any, ...]:  # noqa: ANN401 - handed through
        return actions(assignment) if polled else nothing

    async def getmany(*partitions: TopicPartition, **options: Any) -> Fetched:  # noqa: ANN401 - handed through
        nonlocal polled, behind, turn_began
        pause = 0.0 if behind else rest.seconds(clock() - turn_began)
        lead = min(pause, LEAD_SECONDS)
        await asyncio.sleep(pause - lead)
        fetched: Fetched = {}
        polled = True
        fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001 - see above
        try:
            await asyncio.sleep(lead)
            while not fetched:
                fetched = await poll(*partitions, **options)
        finally:
            polled, turn_began = False, clock()
        behind = _is_behind(fetcher)
        return fetched

    fetcher._get_actions_per_node = actions_now  # noqa: SLF001 - see above
    consumer.getmany = getmany


def _is_behind(fetcher: Any) -> bool:  # noqa: ANN401 - aiokafka has no type hints
    """Tell whether more is waiting than was given: fetched and kept back, or left out of a fetch that was full.

    A fetch brings 1 MiB of a partition and 8 MiB of a broker at most, and of several brokers one answers first: what
    one poll brought does not tell. aiokafka has no public position that need not be waited for.
    """
    if fetcher._records:  # noqa: SLF001 - see above
        return True
    subscription = fetcher._subscriptions.subscription  # noqa: SLF001 - see above
    if subscription is None or subscription.assignment is None:
        return False
    states = map(subscription.assignment.state_value, subscription.assignment.tps)
    return any(state.has_valid_position and state.position < (state.highwater or 0) for state in states)
