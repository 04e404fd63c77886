"""Does a message answer something that is waiting: a survey, a confirmation, the choice prompt (R3, F4, L1)?"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.intake import ConfirmationReply, SurveyAnswer
from contracts.values import OVER, Classification
from services.intake.domain.classification import with_scenario
from services.intake.domain.demands import Understanding, Wish
from services.intake.domain.placement import Placed, Placement
from services.intake.domain.replies import ReplyReader, choice_of, survey_answer_of, verdict_of
from services.intake.domain.state import Book, Conversation, KnownCase, OpenSurvey


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; nothing when the message is no answer."""

    placement: Placement | None = None
    survey: SurveyAnswer | None = None
    confirmation: ConfirmationReply | None = None


NONE = Answer()


def answer_of(
    reader: ReplyReader,
    book: Book,
    conversation: Conversation,
    customer: UUID,
    understanding: Understanding,
    token: KnownCase | None,
    now: datetime,
) -> Answer:
    """Return what a customer's message answers; what was asked last is answered first."""
    solved = _solved_case(book, conversation, customer, token)
    survey = _open_survey(book, conversation, customer, now)
    if survey is not None and (conversation.prompted_at is None or conversation.prompted_at < survey.sent_at):
        scored = survey_answer_of(reader, survey.survey_id, understanding.reading.text)
        if scored is not None:
            book.surveys.pop(survey.survey_id)
            return Answer(Placement(), survey=scored)
    if solved is not None:
        verdict = verdict_of(reader, understanding.reading)
        if verdict is not None:
            return Answer(
                Placement(joins=(solved.case_id,)),
                confirmation=ConfirmationReply(case_id=solved.case_id, solved=verdict),
            )
    return _chosen(reader, conversation, understanding)


def _solved_case(
    book: Book,
    conversation: Conversation,
    customer: UUID,
    token: KnownCase | None,
) -> KnownCase | None:
    """Return the case that waits for the customer's yes or no.

    Who called is asked by SMS, so an SMS may answer for a case of another conversation, unless it has one of its own.
    """
    if token is not None and token.state == "solved":
        return token
    cases = book.conversation_cases(conversation.conversation_id)
    if conversation.channel == "sms" and all(case.state in OVER for case in cases):
        cases = book.customer_cases(customer)
    return next((case for case in reversed(cases) if case.state == "solved"), None)


def _open_survey(book: Book, conversation: Conversation, customer: UUID, now: datetime) -> OpenSurvey | None:
    """Return the survey that may be answered here: of this conversation, else of this customer on this channel."""
    waiting = [survey for survey in book.surveys.values() if survey.expires_at > now]
    here = [survey for survey in waiting if survey.conversation_id == conversation.conversation_id]
    mine = [
        survey
        for survey in waiting
        if book.root_of(survey.customer_id) == customer and survey.channel == conversation.channel
    ]
    return next(reversed(here or mine), None)


def _chosen(reader: ReplyReader, conversation: Conversation, understanding: Understanding) -> Answer:
    if conversation.prompted_at is None:
        return NONE
    text = understanding.reading.text.strip()
    scenario = choice_of(reader, text)
    if scenario is None:
        return NONE
    judged = with_scenario(understanding.whole.classification, scenario, "choice", text)
    wish = Wish(text, _graded(judged), marked=False)
    return Answer(Placement(demands=(Placed(wish, "opens"),)))


def _graded(judged: Classification) -> Classification:
    """Return the classification with the severity of a bare choice: a problem hurts, a question does not (C2)."""
    if judged.severity == "urgent" or judged.scenario not in {"problem", "complaint"}:
        return judged
    return judged.model_copy(update={"severity": "important", "importance": "important", "quadrant": "important"})
