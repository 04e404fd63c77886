"""How does a test tell a case's story in virtual time, with timers firing exactly when they are due?"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.channel import CallReported
from contracts.intake import SurveyAnswer
from contracts.message import Message, derived_id
from contracts.policy import Policy, load_policy
from contracts.router import CaseEvent, CaseOpened
from contracts.values import Actor, CallOutcome, Cause, Party
from services.followup.domain import callbacks, decisions, surveys
from services.followup.domain.decisions import Greeting
from services.followup.domain.rules import Occasion, Rules
from services.followup.domain.state import CaseFollowup, Decision
from tests.support.examples import example

STANDARD: Policy = load_policy(Path(__file__).resolve().parents[3] / "deploy" / "policies" / "standard.toml")
MONDAY = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, ten o'clock in Shanghai."""
AGENT = Actor(kind="agent", id="a-17")
SYSTEM = Actor(kind="system", id="router")
COMMAND = Cause(id="command", type="caseloop.command.test.v1")


def policy_with(**sections: Any) -> Policy:  # noqa: ANN401 - parts of the pack
    """Return the standard pack with other followup settings."""
    return STANDARD.model_copy(update={"followup": STANDARD.followup.model_copy(update=sections)})


@dataclass
class Story:
    """One case: what was told so far, and what followup said to it."""

    case_id: UUID = field(default_factory=lambda: derived_id("a case of followup"))
    policy: Policy = STANDARD
    at: datetime = MONDAY
    state: CaseFollowup | None = None
    version: int = 0
    said: list[Message] = field(default_factory=list)
    case_state: str = "queued"

    def __post_init__(self) -> None:
        """Read the policy once."""
        self.rules = Rules(self.policy)

    @property
    def case(self) -> CaseFollowup:
        """Return what followup remembers."""
        assert self.state is not None
        return self.state

    def opened(self, greeting: Greeting | None = None, **facts: Any) -> list[Message]:  # noqa: ANN401 - see ``event``
        """Open the case; ``severity``, ``scenario``, ``safety`` and ``channel`` say what it is."""
        event = a_case(self.event(CaseOpened, state="queued", supervisor_needed=False, by=SYSTEM), facts)
        return self._take(decisions.open_case(event, self._occasion(event.cause), greeting))

    def told(self, kind: type[CaseEvent], *, state: str | None = None, **fields: Any) -> list[Message]:  # noqa: ANN401 - any field
        """Let the journal say one event now."""
        self.case_state = state or self.case_state
        event = self.event(kind, state=self.case_state, **fields)
        return self._take(decisions.decide(self.case, event, self._occasion(event.cause)))

    def event(self, kind: type[CaseEvent], **fields: Any) -> Any:  # noqa: ANN401 - an event of that kind
        """Return the journal's next event."""
        self.version += 1
        given = {
            "case_id": self.case_id,
            "version": self.version,
            "occurred_at": self.at,
            "by": AGENT,
            "cause": COMMAND,
        }
        return example(kind).model_copy(update=given | fields)

    def reported(self, callback_id: UUID, attempt: int, outcome: CallOutcome, **fields: Any) -> list[Message]:  # noqa: ANN401 - any field
        """Let an exchange report a call."""
        report = CallReported(
            callback_id=callback_id,
            attempt=attempt,
            outcome=outcome,
            at=self.at,
            **fields,
        )
        return self._take(callbacks.reported(self.case, report, self._occasion(COMMAND)))

    def answered(self, survey_id: UUID, overall: int) -> list[Message]:
        """Let the customer answer a survey."""
        answer = SurveyAnswer(survey_id=survey_id, overall=overall)
        return self._take(surveys.answered(self.case, answer, self._occasion(COMMAND)))

    def live_contact(self) -> list[Message]:
        """Let the customer call."""
        return self._take(callbacks.drop_for_live_contact(self.case, self._occasion(COMMAND)))

    def pass_by(self, seconds: float = 0, **length: float) -> list[Message]:
        """Move on, waking the case exactly whenever something is due; return what was said meanwhile."""
        return self.until(self.at + timedelta(seconds=seconds, **length))

    def until(self, moment: datetime) -> list[Message]:
        """Move on to a moment."""
        said: list[Message] = []
        while self.state is not None and (due := decisions.next_moment(self.state, self.rules)) and due <= moment:
            self.at = max(due, self.at)
            before = self.state
            said += self.woken()
            assert self.state != before, "a wake that changes nothing would go on for ever"
        self.at = moment
        return said

    def woken(self) -> list[Message]:
        """Wake the case now."""
        return self._take(decisions.wake(self.case, self._occasion(COMMAND)))

    def _occasion(self, cause: Cause) -> Occasion:
        return Occasion(self.rules, cause, self.at)

    def _take(self, decision: Decision) -> list[Message]:
        self.state = decision.state
        self.said += decision.messages
        return list(decision.messages)


def a_case(event: CaseOpened, facts: dict[str, Any]) -> CaseOpened:
    """Return an opening of a plain case (normal question by chat), changed by ``facts``."""
    chosen = {"severity": "normal", "scenario": "question", "safety": False, "emotion": "calm"}
    chosen |= {name: value for name, value in facts.items() if name in chosen}
    classification = event.demand.classification.model_copy(update=chosen)
    phone = facts.get("phone", "+8613800005678")
    parties = (Party(kind="phone", value=phone),) if phone else ()
    customer = event.customer.model_copy(
        update={"parties": parties, "time_zone": facts.get("time_zone"), "language": "zh-CN"}
    )
    return event.model_copy(
        update={
            "demand": event.demand.model_copy(update={"classification": classification}),
            "customer": customer,
            "contact": event.contact.model_copy(update={"channel": facts.get("channel", "chat")}),
            "department": facts.get("department", "technical_support"),
            "supervisor_needed": facts.get("supervisor_needed", False),
        }
    )


def names(messages: list[Message]) -> list[str]:
    """Return ``clock.started`` for ``caseloop.clock.started.v1``; clocks with their names."""
    return [
        ".".join(message.type.split(".")[1:-1]) + (f" {message.clock}" if hasattr(message, "clock") else "")
        for message in messages
    ]


def without_wake(state: CaseFollowup) -> CaseFollowup:
    """Return the state apart from when its timer is set."""
    return replace(state, wake_at=None)
