"""What happens to the cases of one batch, in memory, between loading and saving them?"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from contracts.channel import CallReported
from contracts.intake import ContactStarted, SurveyAnswer
from contracts.message import derived_id
from contracts.router import CaseOpened
from services.followup.domain import callbacks, decisions, surveys
from services.followup.domain.copying import replaced
from services.followup.domain.decisions import Greeting
from services.followup.domain.rules import Occasion, Rules
from services.followup.domain.signals import Event
from services.followup.domain.state import CaseFollowup, Decision
from services.followup.measures import VERSION_HOLES
from services.followup.storage import Handle
from services.runtime.work import Outgoing, Received


class Batch:
    """The cases of a batch, as they are now and as they were, and what is to be said."""

    __slots__ = ("_before", "_rules", "idle", "outgoing", "states")

    def __init__(self, rules: Rules, states: Mapping[UUID, CaseFollowup]) -> None:
        """Begin with what the database holds."""
        self._rules = rules
        self._before = dict(states)
        self.states = dict(states)
        self.outgoing: list[Outgoing] = []
        self.idle: list[Received] = []
        """Events that changed nothing."""

    def opened(self, received: Received, event: CaseOpened, greetings: dict[str, Greeting]) -> None:
        """Begin a case; a repeat changes nothing."""
        if event.case_id in self.states:
            self.idle.append(received)
        else:
            greeting = greetings.pop(event.contact.conversation_id, None)
            occasion = self._occasion(received, event.occurred_at)
            self._take(received, decisions.open_case(event, occasion, greeting))

    def happened(self, received: Received, event: Event) -> None:
        """Take in one version of a case; what it has already is skipped, what it lacks is counted and passed over."""
        state = self.states.get(event.case_id)
        if event.version is None or (state is not None and event.version <= state.version):
            self.idle.append(received)
            return
        if state is None or event.version > state.version + 1:
            VERSION_HOLES.inc()
        if state is None:
            self.idle.append(received)
        else:
            self._take(received, decisions.decide(state, event, self._occasion(received, event.occurred_at)))

    def woken(self, received: Received, case_id: UUID, now: datetime) -> None:
        """Do what is due; the timer that woke the case is spent."""
        state = self.states.get(case_id)
        if state is not None:
            spent = _without_timer(state)
            self._take(received, decisions.wake(spent, self._occasion(received, now)))

    def reported(self, received: Received, report: CallReported, case_id: UUID, now: datetime) -> None:
        """Take what became of a call."""
        state = self.states.get(case_id)
        if state is not None:
            self._take(received, callbacks.reported(state, report, self._occasion(received, now)))

    def answered(self, received: Received, answer: SurveyAnswer, case_id: UUID, at: datetime) -> None:
        """Take a verdict."""
        state = self.states.get(case_id)
        if state is not None:
            self._take(received, surveys.answered(state, answer, self._occasion(received, at)))

    def connected(self, received: Received, contact: ContactStarted, case_ids: Iterable[UUID]) -> None:
        """Call off calls that a live contact of the customer makes unnecessary."""
        occasion = self._occasion(received, contact.occurred_at)
        for case_id in case_ids:
            state = self.states.get(case_id)
            if state is not None:
                self._take(received, callbacks.drop_for_live_contact(state, occasion))

    def changed(self) -> list[tuple[CaseFollowup | None, CaseFollowup]]:
        """Return the cases that are to be saved, as they were (``None``: new) and as they are."""
        pairs = ((self._before.get(case_id), state) for case_id, state in self.states.items())
        return [(before, after) for before, after in pairs if after is not before]

    def handles(self) -> tuple[list[Handle], list[UUID]]:
        """Return which callbacks and surveys now wait for an answer and did not before, and which no longer do."""
        added: list[Handle] = []
        removed: list[UUID] = []
        for known, state in self.changed():
            if known is not None and known.callbacks is state.callbacks and known.survey is state.survey:
                continue
            before, after = _waiting(known), _waiting(state)
            added += [Handle(each, state.case_id, state.customer_id) for each in sorted(after - before)]
            removed += sorted(before - after)
        return added, removed

    def _occasion(self, received: Received, at: datetime) -> Occasion:
        return Occasion(self._rules, received.cause, at)

    def _take(self, received: Received, decision: Decision) -> None:
        self.states[decision.state.case_id] = decision.state
        if decision.messages:
            cause, case = str(received.message_id), str(decision.state.case_id)
            for position, message in enumerate(decision.messages):
                self.outgoing.append(Outgoing(message, derived_id(cause, message.type, case, position), received))


def _without_timer(state: CaseFollowup) -> CaseFollowup:
    return replaced(state, wake_at=None)


def _waiting(state: CaseFollowup | None) -> set[UUID]:
    if state is None:
        return set()
    waiting = {callback.callback_id for callback in state.callbacks if callback.state != "ended"}
    return waiting | ({state.survey.survey_id} if state.survey is not None else set())
