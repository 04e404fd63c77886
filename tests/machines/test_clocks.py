"""Is a clock, whatever happens to it, what counting every minute says (I6)?

With lunch, nights, holidays, changes of the clocks, and a policy that gives it another calendar.
"""

from collections.abc import Sequence
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.message import derived_id
from services.followup.domain import clocks
from services.followup.domain.clocks import FULL, Clock, ClockState, Span, Turn
from tests.machines.depth import depth
from tests.machines.minutes import CALENDARS, FORTNIGHTS, MINUTES, before, used, used_up, working
from tests.unit.followup.test_calendar import MINUTE

WARNINGS = (50, 75, 90)


class ClockLife(RuleBasedStateMachine):
    """Anything at any minute, with or without timers that fire."""

    @initialize(
        fortnight=st.sampled_from(sorted(FORTNIGHTS)),
        calendar=st.sampled_from(sorted(CALENDARS)),
        twenties=st.integers(1, 90),
        now=st.integers(0, MINUTES // 2),
    )
    def a_clock_starts(self, fortnight: str, calendar: str, twenties: int, now: int) -> None:
        self.fortnight, self.calendar, self.target, self.now = fortnight, calendar, 20 * twenties, now
        self.begin = FORTNIGHTS[fortnight]
        self.ran: list[tuple[int, int | None]] = [(now, None)]
        self.state: ClockState = "running"
        self.warnings = list(WARNINGS)
        self.told: list[tuple[str, int | None, int]] = []
        self.expected: list[tuple[str, int | None, int]] = [("started", None, now)]
        defined = Clock(
            derived_id("clock"), "resolution", calendar, self.target * MINUTE, "standard", "1", (Span(self.at(now)),),
            warnings=WARNINGS,
        )  # fmt: skip
        self.clock = defined
        self.take(clocks.start(defined, working(calendar)))

    def at(self, minute: int) -> datetime:
        return self.begin + minute * MINUTE

    def sums(self) -> Sequence[int]:
        return before(self.fortnight, self.calendar)

    def due(self, percent: int = FULL) -> int | None:
        return used_up(self.sums(), self.ran, self.target * percent // FULL)

    def take(self, turn: Turn) -> None:
        self.clock, steps = turn
        self.told += [(step.kind, step.percent, (step.at - self.begin) // MINUTE) for step in steps]

    def ends(self, state: ClockState, minute: int) -> None:
        """Expect that it stops so, or that it ran out before."""
        due = self.due()
        if self.state == "running" and due is not None and (minute > due or (state == "breached" and minute == due)):
            state, minute = "breached", due
        if self.ran[-1][1] is None:
            self.ran[-1] = (self.ran[-1][0], max(minute, self.ran[-1][0]))
        self.state = state
        self.expected.append((state, None, minute))

    @rule(length=st.one_of(st.integers(0, 120), st.integers(0, 2_000)), timers=st.booleans())
    def time_passes(self, length: int, timers: bool) -> None:
        until = min(self.now + length, MINUTES)
        while timers and self.clock.next_at is not None and self.clock.next_at <= self.at(until):
            self.now = max(self.now, (self.clock.next_at - self.begin) // MINUTE)
            self.a_timer_fires()
        self.now = until

    @rule(off=st.integers(-1, 2))
    @precondition(lambda self: self.state == "running")
    def it_is_nearly_or_just_over(self, off: int) -> None:
        """Come to where the verdict turns, while no timer fires."""
        self.now = min(max((self.due() or 0) + off, self.now), MINUTES)

    @rule()
    def a_timer_fires(self) -> None:
        self.take(clocks.tick(self.clock, self.at(self.now), working(self.calendar)))
        due = self.due()
        if self.state != "running":
            return
        if due is not None and self.now >= due:
            self.ends("breached", due)
            return
        passed = [
            (percent, moment)
            for percent in self.warnings
            if (moment := self.due(percent)) is not None and moment <= self.now
        ]
        if passed:
            self.expected.append(("warned", *passed[-1]))
            self.warnings = [percent for percent in self.warnings if percent > passed[-1][0]]

    @rule()
    @precondition(lambda self: self.state == "running")
    def the_customer_is_asked(self) -> None:
        self.take(clocks.pause(self.clock, self.at(self.now), "waiting_customer"))
        self.ends("paused", self.now)

    @rule()
    @precondition(lambda self: self.state == "paused")
    def the_customer_answers(self) -> None:
        self.take(clocks.resume(self.clock, self.at(self.now), working(self.calendar)))
        self.ran.append((self.now, None))
        self.state = "running"
        self.expected.append(("resumed", None, self.now))

    @rule()
    @precondition(lambda self: self.state != "breached")
    def it_is_solved(self) -> None:
        self.take(clocks.meet(self.clock, self.at(self.now)))
        if self.state in ("running", "paused"):
            self.ends("met", self.now)

    @rule()
    @precondition(lambda self: self.state in ("running", "paused"))
    def it_is_merged(self) -> None:
        self.take(clocks.cancel(self.clock, self.at(self.now), "merged"))
        self.ends("cancelled", self.now)

    @rule(back=st.integers(0, 600))
    @precondition(lambda self: self.state == "breached")
    def it_is_solved_after_it_was_said_to_be_over(self, back: int) -> None:
        """Late news of an end that was in time, to the very minute, takes the breach back."""
        start, due = self.ran[-1][0], self.due()
        end = max(start, self.now - back)
        self.take(clocks.meet(self.clock, self.at(end)))
        if due is not None and end <= due:
            self.ran[-1] = (start, end)
            self.state = "met"
            self.expected.append(("met", None, end))

    @rule(other=st.sampled_from(sorted(CALENDARS)))
    @precondition(lambda self: self.state in ("running", "paused"))
    def policy_gives_it_another_calendar(self, other: str) -> None:
        self.clock = clocks.recompute(self.clock, working(other))
        self.calendar = other

    @rule(other=st.sampled_from(sorted(CALENDARS)))
    def somebody_asks_what_another_calendar_would_say(self, other: str) -> None:
        judged = clocks.recompute(self.clock, working(other))
        sums = before(self.fortnight, other)
        ran = list(self.ran)
        if self.state == "breached" and used_up(sums, ran, self.target) is None:
            assert judged.state == "running"
        elif self.state == "met":
            over, end = used_up(sums, ran, self.target), ran[-1][1]
            assert end is not None
            assert judged.state == ("breached" if over is not None and over < end else "met")
        else:
            assert judged.state == self.state
        if judged.state == "breached":
            assert judged.due_at == self.at(used_up(sums, ran, self.target) or 0)

    @invariant()
    def it_says_what_the_minutes_say(self) -> None:
        assert self.told == self.expected
        assert self.clock.state == self.state

    @invariant()
    def its_working_time_is_the_minutes_counted(self) -> None:
        counted = used(self.sums(), self.ran, self.now)
        assert clocks.working(self.clock, self.at(self.now), working(self.calendar)) == counted * MINUTE

    @invariant()
    def its_end_is_where_the_minutes_are_used_up(self) -> None:
        if self.state != "running":
            assert self.clock.next_at is None
            return
        due = self.due()
        assert self.clock.due_at is not None
        assert self.clock.due_at == self.at(due) if due is not None else self.clock.due_at > self.at(MINUTES)


ClockLife.TestCase.settings = depth()
TestClockLife = ClockLife.TestCase
