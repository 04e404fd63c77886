"""What does the public journal tell intake: which cases are open, and which surveys wait for an answer?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.intake.domain.reading import (
    Closed,
    Heard,
    Judged,
    MarkedSpam,
    Merged,
    Opened,
    Reclassified,
    Reopened,
    SurveyAnswered,
    SurveySent,
)
from services.intake.domain.scope import ConversationKey, scoped
from services.intake.domain.state import OpenSurvey


@dataclass(slots=True)
class CaseChange:
    """News of one case, added up event by event; absent fields stay as they are known."""

    case_id: UUID
    version: int
    state: str
    case_number: str | None = None
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


def news_of(events: Iterable[Heard]) -> News:
    """Fold events, in order per case, into what they change."""
    news = News()
    for event in events:
        match event:
            case SurveySent():
                news.surveys[event.case_id] = _survey(event)
            case SurveyAnswered():
                _settle(news, event.case_id)
            case _:
                if isinstance(event, Reopened):
                    _settle(news, event.case_id)
                _change(news, event)
    return news


def _settle(news: News, case_id: UUID) -> None:
    news.surveys.pop(case_id, None)
    news.settled.add(case_id)


def _change(news: News, event: Heard) -> None:
    change = news.cases.get(event.case_id)
    if change is None:
        change = news.cases[event.case_id] = CaseChange(event.case_id, event.version, event.state)
    change.version, change.state = event.version, event.state
    match event:
        case Opened():
            _open(change, event)
        case Reclassified():
            _judge(change, event.classification)
        case Closed() | Merged() | MarkedSpam():
            change.closed_at = event.occurred_at
            change.outcome = event.outcome if isinstance(event, Closed) else event.state
            change.merged_into = event.into_case_id if isinstance(event, Merged) else None
        case _:
            change.closed_at = change.outcome = change.merged_into = None


def _open(change: CaseChange, event: Opened) -> None:
    change.case_number = event.case_number
    change.customer_id = event.customer.customer_id
    change.conversation_id = scoped(event.contact.channel, event.contact.conversation_id)
    change.opened_at = event.occurred_at
    change.order_no = event.demand.facts.get("order_no")
    _judge(change, event.demand.classification)


def _judge(change: CaseChange, judged: Judged) -> None:
    change.category, change.scenario = judged.category, judged.scenario
    change.severity, change.safety = judged.severity, judged.safety


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
