"""Do relays share the buckets evenly, and does none ever take what another holds?"""

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.leases import fair_share
from services.runtime.outbox import BUCKETS

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@given(
    me=NAMES,
    relays=st.lists(NAMES, unique=True),
    held=st.fixed_dictionaries({bucket: st.none() | NAMES for bucket in range(BUCKETS)}),
)
def test_nobody_takes_what_another_holds(me: str, relays: list[str], held: dict[int, str | None]) -> None:
    assert all(held[bucket] in (None, me) for bucket in fair_share(me, relays, held))


@given(relays=st.lists(NAMES, unique=True, min_size=1), data=st.data())
def test_whatever_the_order_of_renewals_all_buckets_are_held_evenly_soon(
    relays: list[str], data: st.DataObject
) -> None:
    held: dict[int, str | None] = {bucket: data.draw(st.none() | st.sampled_from(relays)) for bucket in range(BUCKETS)}

    for _ in range(2):
        for me in data.draw(st.permutations(relays)):
            share = fair_share(me, relays, held)
            held = {b: me if b in share else (None if holder == me else holder) for b, holder in held.items()}

    sizes = [sum(holder == me for holder in held.values()) for me in relays]
    assert sum(sizes) == BUCKETS
    assert max(sizes) - min(sizes) <= 1
