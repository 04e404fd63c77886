"""Does a timer fire once, never early, and never after it was moved or cancelled, whatever two replicas interleave?

One timer id. Messages set it, move it and cancel it, three times in any order, while time passes and two replicas fire
what they have read. One thing fails at any moment: a replica is killed, or the handler fails and the firing is parked.
The "duplicate" is the second replica, which has read the same setting.

==================  ==================================================================================================
sets, moves         ``timers.schedule``: ``timers.SCHEDULE_TIMERS``, with a new generation each time
cancels             ``timers.cancel``: ``timers.CANCEL_TIMERS``
reads               ``firing.fire_due``: ``timers.LIST_DUE``, without a lock
claims              ``DueTimers.claim``: ``firing.LOCK`` and ``timers.VOID``; then the handler runs
deletes             ``Firing.take_rest``: ``timers.DELETE_FIRED`` locks the row, or ``TimerVoidError`` undoes all
commits             the end of ``Processing._transacted``
retries             ``DueRetries`` with ``firing.open_timer``
==================  ==================================================================================================
"""

from typing import Literal, NamedTuple

from services.runtime import firing, processing, timers
from tests.model.explorer import Guard, Steps

CHANGES, LAST_MOMENT = 3, 2

DUE = Guard("only what is due", timers.LIST_DUE, "WHERE due_at <= $1", "early")
EXACT = Guard("the deletion names the generation", timers.DELETE_FIRED, "USING (timer_id, generation)", "fired after")
COUNTED = Guard("fewer deleted than fired undoes all", timers.Firing.take, "raise TimerVoidError", "fired")
FRESH = Guard("no generation is given twice", timers.SCHEDULE_TIMERS, "nextval('timer_generations')", "one id for two")
TOGETHER = Guard(
    "effect and deletion in one transaction", processing.Processing._transacted, "connection.transaction()", "fired"
)
PARKED = Guard("a change voids what was parked", timers.CANCEL_TIMERS, "UPDATE parked", "fired after")
ALONE = Guard("one replica fires at a time", firing.LOCK, "pg_try_advisory_xact_lock", "in vain: a rival")
STILL_SET = Guard("settings are looked at once more", firing.DueTimers.claim, "timers.void", "in vain: it was void")
GUARDS = (DUE, EXACT, COUNTED, FRESH, TOGETHER, PARKED, ALONE, STILL_SET)


class Setting(NamedTuple):
    """A timer as it is set; ``number`` tells settings apart, for the judge only."""

    number: int
    generation: int
    due: int


class Hand(NamedTuple):
    """What a replica is firing."""

    setting: Setting
    phase: Literal["read", "claimed", "deleted"] = "read"
    fails: bool = False


class World(NamedTuple):
    """PostgreSQL, time, and two replicas."""

    now: int = 0
    timer: Setting | None = None
    settings: int = 0
    """How many have been given so far."""
    changes: int = CHANGES
    void: frozenset[int] = frozenset()
    fired: tuple[Setting, ...] = ()
    parked: Setting | None = None
    replicas: tuple[Hand | None, ...] = (None, None)
    faults: int = 1
    wrong: str | None = None

    def with_replica(self, number: int, hand: Hand | None, **changes: object) -> "World":
        """Return the world with this replica changed."""
        replicas = tuple(hand if place == number else other for place, other in enumerate(self.replicas))
        return self._replace(replicas=replicas, **changes)  # type: ignore[arg-type]  # fields of a world


class Timers:
    """fire, cancel, move."""

    def __init__(self, without: Guard | None = None) -> None:
        self.without = without

    def initial(self) -> World:
        return World()

    def steps(self, state: World) -> Steps[World]:
        if state.now < LAST_MOMENT:
            yield f"it is {state.now + 1}", state._replace(now=state.now + 1)
        if state.changes and not any(hand is not None and hand.phase == "deleted" for hand in state.replicas):
            yield from self._change(state._replace(changes=state.changes - 1))
        if state.parked is not None:
            yield "the retrier retries", self._effect(state._replace(parked=None), state.parked)
        for number, hand in enumerate(state.replicas):
            yield from self._fire(state, number, hand)

    def faults(self, state: World) -> Steps[World]:
        for number, hand in enumerate(state.replicas if state.faults else ()):
            if hand is not None:
                yield f"replica {number} is killed", state.with_replica(number, None, faults=0)
            if hand is not None and hand.phase == "claimed":
                failing = hand._replace(fails=True)
                yield f"the handler of replica {number} fails", state.with_replica(number, failing, faults=0)

    def _change(self, state: World) -> Steps[World]:
        parked = state.parked if self.without is PARKED else None
        old = {each.number for each in (state.timer, state.parked) if each is not None}
        changed = state._replace(void=state.void | old, parked=parked)
        if state.timer is not None or state.parked is not None:
            yield "a message cancels", changed._replace(timer=None)
        for due in range(1, LAST_MOMENT + 1):
            number = state.settings + 1
            again = state.timer.generation + 1 if state.timer is not None else 1
            setting = Setting(number, again if self.without is FRESH else number, due)
            word = "sets" if state.timer is None else "moves"
            label = f"a message {word} it: due at {due}, generation {setting.generation}"
            yield label, changed._replace(timer=setting, settings=number)

    def _fire(self, state: World, number: int, hand: Hand | None) -> Steps[World]:
        timer = state.timer
        if hand is None:
            if timer is not None and (timer.due <= state.now or self.without is DUE):
                label = f"replica {number} reads generation {timer.generation}"
                yield label, state.with_replica(number, Hand(timer))
        elif hand.phase == "read":
            yield from self._claim(state, number, hand)
        elif hand.phase == "claimed":
            yield from self._delete(state, number, hand)
        else:
            yield f"replica {number} commits", self._committed(state, number, hand)

    def _claim(self, state: World, number: int, hand: Hand) -> Steps[World]:
        rival = state.replicas[1 - number]
        if self.without is not ALONE and rival is not None and rival.phase != "read":
            yield f"replica {number} finds another at work", state.with_replica(number, None)
        elif self.without is not STILL_SET and not _in_force(state, hand):
            yield f"replica {number} finds it changed", state.with_replica(number, None)
        else:
            claimed = state.with_replica(number, hand._replace(phase="claimed"))
            wrong = None if _in_force(state, hand) else "in vain: it was void before the handler ran"
            told = self._effect(claimed, hand.setting) if self.without is TOGETHER else claimed
            yield (
                f"replica {number} claims generation {hand.setting.generation}",
                told._replace(wrong=told.wrong or wrong),
            )

    def _delete(self, state: World, number: int, hand: Hand) -> Steps[World]:
        rival = state.replicas[1 - number]
        if rival is not None and rival.phase == "deleted":
            return
        there = state.timer is not None and (self.without is EXACT or _in_force(state, hand))
        if there or self.without is COUNTED:
            deleted = hand._replace(phase="deleted")
            yield f"replica {number} deletes it and holds its row", state.with_replica(number, deleted)
        else:
            by_rival = hand.setting in state.fired and self.without is not TOGETHER
            wrong = "in vain: a rival has fired it" if by_rival else state.wrong
            yield (
                f"replica {number} finds nothing to delete and undoes all",
                state.with_replica(number, None, wrong=wrong),
            )

    def _committed(self, state: World, number: int, hand: Hand) -> World:
        gone = self.without is EXACT or _in_force(state, hand)
        done = state.with_replica(number, None, timer=None if gone else state.timer)
        if hand.fails:
            return done._replace(parked=hand.setting)
        return done if self.without is TOGETHER else self._effect(done, hand.setting)

    def _effect(self, state: World, setting: Setting) -> World:
        wrong = state.wrong
        if setting.number in state.void:
            wrong = "fired after it was changed"
        elif setting.due > state.now:
            wrong = f"early: due at {setting.due}, fired at {state.now}"
        elif setting in state.fired:
            wrong = "fired twice"
        elif any(setting.generation == other.generation for other in state.fired):
            wrong = "one id for two messages: the second firing would pass for a repeat"
        return state._replace(fired=(*state.fired, setting), wrong=wrong)

    def mirrored(self, state: World) -> World:
        return state._replace(replicas=state.replicas[::-1])

    def problem(self, state: World, at_rest: bool) -> str | None:
        if state.wrong is not None or not at_rest:
            return state.wrong
        unfired = set(range(1, state.settings + 1)) - state.void - {setting.number for setting in state.fired}
        return f"never fired: setting {min(unfired)}" if unfired else None


def _in_force(state: World, hand: Hand) -> bool:
    return state.timer is not None and state.timer.generation == hand.setting.generation
