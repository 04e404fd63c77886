"""How much of the public journal does intake read? What its index of cases and its surveys need.

Each class has the type of the event that it reads in part; what it declares is checked as in the whole.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal
from uuid import UUID

from contracts import router
from contracts.message import Message
from contracts.values import CaseState, Channel, Facts, Moment, Name, Ref, Scenario, Severity, Value


class Heard(Message):
    """An event of the journal."""

    topic: ClassVar[str] = router.CaseEvent.topic
    key_field: ClassVar[str] = router.CaseEvent.key_field
    case_id: UUID
    version: int
    state: CaseState


class Judged(Value):
    """What the need is."""

    category: Name
    scenario: Scenario
    severity: Severity
    safety: bool


class _Demand(Value):
    facts: Facts = {}  # noqa: RUF012 - pydantic copies it
    classification: Judged


class _Customer(Value):
    customer_id: UUID


class _Contact(Value):
    conversation_id: Ref
    channel: Channel


class Opened(Heard, type=router.CaseOpened.type):
    """A demand became a case."""

    case_number: Ref
    occurred_at: Moment
    customer: _Customer
    contact: _Contact
    demand: _Demand


class Reclassified(Heard, type=router.CaseReclassified.type):
    """The classification was corrected."""

    classification: Judged


class InformationRequested(Heard, type=router.CaseInformationRequested.type):
    """The customer was asked for something."""


class InformationReceived(Heard, type=router.CaseInformationReceived.type):
    """The customer answered."""


class Resolved(Heard, type=router.CaseResolved.type):
    """The agent says it is solved."""


class Reopened(Heard, type=router.CaseReopened.type):
    """It was not solved."""


class Closed(Heard, type=router.CaseClosed.type):
    """The case is over."""

    occurred_at: Moment
    outcome: Literal["confirmed", "confirmation_exhausted", "by_hand"]


class Merged(Heard, type=router.CaseMerged.type):
    """The case goes on in another."""

    occurred_at: Moment
    into_case_id: UUID


class MarkedSpam(Heard, type=router.CaseMarkedSpam.type):
    """The case was none."""

    occurred_at: Moment


class SurveySent(Heard, type=router.SurveySent.type):
    """A survey waits for its answer."""

    occurred_at: Moment
    survey_id: UUID
    customer_id: UUID
    channel: Channel
    conversation_id: Ref | None = None
    expires_at: Moment


class SurveyAnswered(Heard, type=router.SurveyAnswered.type):
    """A survey has its answer."""


READS: Mapping[type[Message], type[Heard]] = {
    router.CaseOpened: Opened,
    router.CaseReclassified: Reclassified,
    router.CaseInformationRequested: InformationRequested,
    router.CaseInformationReceived: InformationReceived,
    router.CaseResolved: Resolved,
    router.CaseReopened: Reopened,
    router.CaseClosed: Closed,
    router.CaseMerged: Merged,
    router.CaseMarkedSpam: MarkedSpam,
    router.SurveySent: SurveySent,
    router.SurveyAnswered: SurveyAnswered,
}
"""The events that matter to intake, and what is read instead of each."""


def heard(event: Message) -> Heard:
    """Return what intake reads of an event; the runtime hands over the whole where its text may hold a NUL."""
    return event if isinstance(event, Heard) else READS[type(event)].model_validate(event, from_attributes=True)
