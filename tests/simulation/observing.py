"""Which effects were stored, by whom, when, and how often?

A handler that has run is noted when its transaction commits, whether or not its process lives to hear of it. So is
every setting of a timer: a timer that fires must be set, as it fires, at the moment of that commit.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from services.runtime.inbox import UNGUARDED
from services.runtime.timers import CANCEL_TIMERS, SCHEDULE_TIMERS
from services.runtime.work import Received, TimerFired, Work
from tests.simulation.server import Server
from tests.simulation.store import Held
from tests.simulation.world import World

EARLY_SECONDS = 1e-6
SEES_REPEATS = frozenset({"desk"})
"""Who has no inbox, and tells in its own rows what is a repeat."""
SETTINGS = "SELECT timer_id, generation FROM {schema}.timers WHERE timer_id = ANY ($1::uuid[])"


@dataclass(slots=True)
class Observed:
    """All effects of one run, and what was wrong with them at once."""

    world: World
    server: Server
    effects: Counter[tuple[object, ...]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    timers: int = 0
    latest_seconds: float = 0.0
    _set: dict[UUID, int] = field(default_factory=dict)
    """Timers that are set at this moment, and their generation."""

    def watch(self, service: str, work: Work) -> None:
        """Note these messages once this transaction has been committed, before what the transaction set.

        What the handler has put off has had no effect: it is parked, and tried again.
        """
        held: Any = work.connection
        handled = [received for received in work.received if id(received) not in work.postponed]
        held.notes.insert(0, partial(self._stored, service, handled))

    def statement(self, held: Held, query: str, args: Sequence[Any]) -> None:
        """Note timers that this transaction sets or cancels, once it has been committed."""
        if query is SCHEDULE_TIMERS:
            held.notes.append(partial(self._scheduled, held.schema, args[0]))
        elif query is CANCEL_TIMERS:
            held.notes.append(partial(self._cancelled, args[0]))

    def _scheduled(self, schema: str, timer_ids: Sequence[UUID]) -> None:
        query = SETTINGS.format(schema=schema)
        self._set.update(self.server.run(self.server.monitor.fetch(query, timer_ids)))

    def _cancelled(self, timer_ids: Sequence[UUID]) -> None:
        for timer_id in timer_ids:
            self._set.pop(timer_id, None)

    def _stored(self, service: str, received: Sequence[Received]) -> None:
        for each in received:
            if isinstance(each.message, TimerFired):
                self._fired(service, each.message)
                continue
            self._once((service, "record", each.topic, each.partition, each.offset), "I2")
            if each.topic not in UNGUARDED and service not in SEES_REPEATS:
                self._once((service, "message", each.message_id), "I2")

    def _fired(self, service: str, timer: TimerFired) -> None:
        self.timers += 1
        late = self.world.loop.time() - self.world.seconds(timer.due_at)
        self.latest_seconds = max(self.latest_seconds, late)
        where = f"{service}: {timer.kind} of {timer.key}"
        if late < -EARLY_SECONDS:
            self.problems.append(f"I4: {where} fired {-late:.3f} s early")
        if self._set.pop(timer.timer_id, None) != timer.generation:
            self.problems.append(f"I4: {where} fired after it had been moved or cancelled")
        self._once((service, "timer", timer.timer_id, timer.generation), "I4")

    def _once(self, effect: tuple[object, ...], invariant: str) -> None:
        self.effects[effect] += 1
        if self.effects[effect] > 1:
            self.problems.append(f"{invariant}: {' '.join(map(str, effect))} had its effect twice")
