"""Is a callback right in every order of reports, moves, silence and nights?"""

from datetime import timedelta
from typing import get_args

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.followup import CallbackDone, CallbackDue, CallbackGivenUp, CallbackTried
from contracts.values import CallOutcome
from tests.machines.depth import depth
from tests.unit.followup.test_callbacks import a_story, requested, scheduled


class CallbackLife(RuleBasedStateMachine):
    """Reports, moves, silence and nights in any order: nobody is called at night, twice at once, or for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.story = a_story()
        self.asked = 0

    @rule(seconds=st.integers(0, 50_000))
    def time_passes(self, seconds: int) -> None:
        self.story.pass_by(seconds=seconds)

    @rule(seconds=st.integers(-60, 100_000))
    @precondition(lambda self: self.asked < 3)
    def customer_asks(self, seconds: int) -> None:
        self.asked += 1
        scheduled(self.story, self.story.at + timedelta(seconds=max(seconds, 0)))

    @rule(
        behind=st.integers(0, 2),
        outcome=st.sampled_from(get_args(CallOutcome)),
    )
    @precondition(lambda self: any(callback.attempt for callback in self.story.case.callbacks))
    def exchange_reports(self, behind: int, outcome: CallOutcome) -> None:
        attempt = max(self.story.case.callbacks[0].attempt - behind, 1)
        self.story.reported(requested(self.story), attempt, outcome)

    @invariant()
    def calls_are_placed_by_day_and_numbered_without_gaps(self) -> None:
        calls = [message for message in self.story.said if isinstance(message, CallbackDue)]
        assert [call.attempt for call in calls] == list(range(1, len(calls) + 1))
        assert all(1 <= call.not_before.hour < 12 for call in calls), "nine to eight in Shanghai"
        assert all(call.not_after > call.not_before for call in calls)

    @invariant()
    def each_try_has_at_most_one_outcome(self) -> None:
        tried = [message.attempt for message in self.story.said if isinstance(message, CallbackTried | CallbackDone)]
        assert len(tried) == len(set(tried)) or len(set(tried)) == len(tried) - self._late_answers()

    def _late_answers(self) -> int:
        failed = {message.attempt for message in self.story.said if isinstance(message, CallbackTried)}
        return sum(1 for message in self.story.said if isinstance(message, CallbackDone) and message.attempt in failed)

    @invariant()
    def there_is_one_callback_and_it_ends(self) -> None:
        assert len(self.story.case.callbacks) <= 1
        ends = [m for m in self.story.said if isinstance(m, CallbackDone | CallbackGivenUp)]
        assert len(ends) <= self.asked

    def teardown(self) -> None:
        self.story.pass_by(days=45)
        assert all(callback.state == "ended" for callback in self.story.case.callbacks)


CallbackLife.TestCase.settings = depth()
TestCallbackLife = CallbackLife.TestCase
