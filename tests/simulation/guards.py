"""What is a run worth? Take one protection away, and some seed must turn red.

Each mutation changes the production code of this process only, and only in one place.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.notify.storage import leases as deliveries
from services.runtime import inbox, offsets, relay, timers
from tests.simulation.faults import Kind

Mutation = tuple[Any, str, Callable[[Any], Any]]
"""A module, a name in it, and what stands there instead."""


def _without(*parts: str) -> Callable[[Any], Any]:
    def cut(query: str) -> str:
        for part in parts:
            if part not in query:
                raise AssertionError(f"{part!r} is no part of the statement any more")
            query = query.replace(part, "")
        return query

    return cut


def _all_new(_: object) -> Callable[..., Any]:
    async def claim(_connection: object, entries: list[Any], _now: object) -> list[Any]:
        return list(entries)

    return claim


def _soon_free(query: str) -> str:
    """Let a sender believe in a lease that is over, for everybody else, before most calls are.

    Over at once it would do no harm: who looks the message up is overtaken by the next who does, until it has arrived.
    """
    soon = query.replace("due_at = $2, changed_at", "due_at = least($2, $1 + interval '0.5 seconds'), changed_at")
    return soon.replace("deliveries.due_at AS lease_until", "$2::timestamptz AS lease_until")


def _any_owner(query: str) -> str:
    return query.replace("WHERE owner = $1 AND lease_until > clock_timestamp()", "WHERE $1 <> ''")


def _any_generation(query: str) -> str:
    return query.replace("JOIN fired USING (timer_id, generation)", "JOIN fired USING (timer_id)")


def _any_setting(query: str) -> str:
    return query.replace("USING (timer_id, generation)", "USING (timer_id)")


GUARDS: Mapping[str, tuple[Mutation, ...]] = {
    "inbox": ((inbox, "claim", _all_new),),
    "offsets": ((offsets, "ADVANCE", _without(" AND koff.next_offset = moves.remembered")),),
    "timers": ((timers, "DELETE_FIRED", _any_generation), (timers, "VOID", _any_setting)),
    "lease": ((deliveries, "TAKE", _soon_free),),
    "relay": ((relay, "TAKE", _any_owner),),
}
"""The duplicate guard at the doors, the compare-and-set of offsets, the generation of timers, the lease of a message in
a sender's hands, the lease of a relay's buckets."""


STORMS: Mapping[str, Mapping[Kind, float]] = {
    "inbox": {"event_again": 0.2},
    "offsets": {"expelled": 0.2},
    "timers": {"statement_slow": 0.15},
    "lease": {},
    "relay": {},
}
"""The weather in which each guard is needed: there nearly every seed notices that it is gone."""


@contextmanager
def unguarded(guard: str | None) -> Iterator[None]:
    """Run without this protection."""
    before: list[tuple[Any, str, Any]] = []
    try:
        for module, name, changed in GUARDS[guard] if guard else ():
            whole = getattr(module, name)
            mutated = changed(whole)
            if mutated == whole:
                raise AssertionError(f"{name} is as it was")
            before.append((module, name, whole))
            setattr(module, name, mutated)
        yield
    finally:
        for module, name, whole in before:
            setattr(module, name, whole)
