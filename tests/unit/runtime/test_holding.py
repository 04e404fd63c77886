"""How long is a partition that takes nothing left alone?"""

from itertools import pairwise

from services.runtime.holding import PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX, Holding

ONE, OTHER = ("contacts", 0), ("contacts", 1)
THREE = [("contacts", number) for number in range(3)]
PUBLISH_SECONDS = 4.0


def test_a_pause_doubles_up_to_a_bound_while_it_goes_on_refusing() -> None:
    holding, now, pauses = Holding(), 0.0, []
    for _ in range(6):
        holding.tried({ONE}, (), now)
        began = now
        while ONE in holding.held(now):
            now += PAUSE_SECONDS_FIRST / 2
        pauses.append(now - began)

    assert pauses == [1.0, 2.0, 4.0, PAUSE_SECONDS_MAX, PAUSE_SECONDS_MAX, PAUSE_SECONDS_MAX]


def test_who_takes_it_is_well_and_who_was_left_alone_is_not() -> None:
    holding = Holding()
    holding.tried({ONE, OTHER}, (), 0.0)

    holding.tried({ONE}, {OTHER}, 1.0)
    assert set(holding.places()) == {ONE, OTHER}
    assert holding.held(2.5) == {ONE}

    holding.tried((), {ONE}, 2.5)
    assert set(holding.places()) == {ONE}

    holding.tried((), (), 4.0)
    assert not holding.places()


def test_who_refuses_apart_is_tried_apart_and_others_go_on_for_a_while_after_each() -> None:
    holding, now, ends, tries = Holding(), 0.0, [], dict.fromkeys(THREE, 0)
    for place in THREE:  # each has more rows than one publish takes, so that each is met alone
        now += PUBLISH_SECONDS
        holding.tried({place}, holding.held(now - PUBLISH_SECONDS), now)
    while now < 120.0:
        held = holding.held(now)
        let_go = [place for place in THREE if place not in held][:1]
        if let_go:
            now += PUBLISH_SECONDS
            tries[let_go[0]] += 1
            holding.tried(let_go, held, now)
            ends.append(now)
        else:
            now += 0.25

    assert all(later - earlier >= PUBLISH_SECONDS + PAUSE_SECONDS_FIRST for earlier, later in pairwise(ends))
    assert max(tries.values()) - min(tries.values()) <= 2, tries


def test_who_refused_together_is_tried_together() -> None:
    holding = Holding()
    holding.tried({ONE, OTHER}, (), 0.0)

    assert holding.held(0.5) == {ONE, OTHER}
    assert holding.held(1.0) == set()
