"""How long is a partition that takes nothing left alone?"""

from services.runtime.holding import PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX, Holding

ONE, OTHER = ("contacts", 0), ("contacts", 1)


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
