"""What does the public journal tell intake: which cases are open, and which surveys wait for an answer?"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from contracts.router import (
    CaseClosed,
    CaseEvent,
    CaseInformationReceived,
    CaseInformationRequested,
    CaseMarkedSpam,
    CaseMerged,
    CaseOpened,
    CaseReclassified,
    CaseReopened,
    CaseResolved,
    SurveyAnswered,
    SurveySent,
)
from services.intake.domain.scope import ConversationKey, scoped
from services.intake.domain.state import OpenSurvey

HEARD: tuple[type[CaseEvent], ...] = (
    CaseOpened,
    CaseReclassified,
    CaseInformationRequested,
    CaseInformationReceived,
    CaseResolved,
    CaseReopened,
    CaseClosed,
    CaseMerged,
    CaseMarkedSpam,
    SurveySent,
    SurveyAnswered,
)
"""The events that matter to intake."""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """News of one case; absent fields stay as they are known."""

    case_id: UUID
    version: int
    state: str
    case_number: str
    customer_id: UUID | None = None
    """Present when the case was opened with this news, so that a case nobody here proposed becomes known."""
    conversation_id: ConversationKey | None = None
    category: str | None = None
    scenario: str | None = None
    severity: str | None = None
    safety: bool | None = None
    opened_at: datetime | None = None
    order_no: str | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    merged_into: UUID | None = None


@dataclass(slots=True)
class News:
    """All that a batch of events changes."""

    cases: dict[UUID, CaseChange] = field(default_factory=dict)
    surveys: dict[UUID, OpenSurvey] = field(default_factory=dict)
    """By case: the last survey that was sent and not answered within the batch."""
    settled: set[UUID] = field(default_factory=set)
    """Cases whose earlier surveys are answered or withdrawn."""


def news_of(events: Iterable[CaseEvent]) -> News:
    """Fold events, in order per case, into what they change."""
    news = News()
    for event in events:
        if isinstance(event, SurveySent):
            news.surveys[event.case_id] = _survey(event)
            continue
        if isinstance(event, SurveyAnswered | CaseReopened):
            news.surveys.pop(event.case_id, None)
            news.settled.add(event.case_id)
        if not isinstance(event, SurveyAnswered):
            news.cases[event.case_id] = _changed(news.cases.get(event.case_id), event)
    return news


def _changed(known: CaseChange | None, event: CaseEvent) -> CaseChange:
    base = known or CaseChange(event.case_id, event.version, event.state, event.case_number)
    change = replace(base, version=event.version, state=event.state)
    if isinstance(event, CaseOpened):
        return _opened(change, event)
    if isinstance(event, CaseReclassified):
        judged = event.classification
        return replace(
            change,
            category=judged.category,
            scenario=judged.scenario,
            severity=judged.severity,
            safety=judged.safety,
        )
    if isinstance(event, CaseClosed | CaseMerged | CaseMarkedSpam):
        return replace(
            change,
            closed_at=event.occurred_at,
            outcome=event.outcome if isinstance(event, CaseClosed) else event.state,
            merged_into=event.into_case_id if isinstance(event, CaseMerged) else None,
        )
    return replace(change, closed_at=None, outcome=None, merged_into=None)


def _opened(change: CaseChange, event: CaseOpened) -> CaseChange:
    judged = event.demand.classification
    return replace(
        change,
        customer_id=event.customer.customer_id,
        conversation_id=scoped(event.contact.channel, event.contact.conversation_id),
        category=judged.category,
        scenario=judged.scenario,
        severity=judged.severity,
        safety=judged.safety,
        opened_at=event.occurred_at,
        order_no=event.demand.facts.get("order_no"),
    )


def _survey(event: SurveySent) -> OpenSurvey:
    return OpenSurvey(
        survey_id=event.survey_id,
        case_id=event.case_id,
        customer_id=event.customer_id,
        conversation_id=scoped(event.channel, event.conversation_id) if event.conversation_id else None,
        channel=event.channel,
        sent_at=event.occurred_at,
        expires_at=event.expires_at,
    )
