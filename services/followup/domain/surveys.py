"""Who is asked for a verdict, and when does an answer count?"""

from datetime import timedelta
from typing import Any, Literal

from contracts.followup import SurveyExpired, SurveyReply, SurveyRequested
from contracts.intake import SurveyAnswer
from contracts.router import CaseClosed
from services.followup.domain.copying import replaced
from services.followup.domain.rules import Occasion
from services.followup.domain.state import CaseFollowup, Decision, Survey, survey_id_of


def ask(state: CaseFollowup, event: CaseClosed, occasion: Occasion) -> Decision:
    """Ask once per closing cycle, and only where the policy says that somebody confirmed (F4)."""
    policy = occasion.rules.policy.survey
    if event.outcome not in policy.outcomes:
        return Decision(state)
    survey = Survey(
        survey_id=survey_id_of(state.case_id, event.cycle),
        cycle=event.cycle,
        expires_at=occasion.at + timedelta(seconds=policy.expiry_seconds),
    )
    message = SurveyRequested(
        **_facts(state, survey, occasion),
        channel=policy.channels.get(state.channel, state.channel),
        conversation_id=state.conversation_id,
        language=state.language,
        expires_at=survey.expires_at,
    )
    return Decision(replaced(state, survey=survey), (message,))


def answered(state: CaseFollowup, answer: SurveyAnswer, occasion: Occasion) -> Decision:
    """Take the first verdict on the survey that is out; later ones, and ones on an older survey, change nothing."""
    survey = state.survey
    if survey is None or survey.survey_id != answer.survey_id or occasion.at >= survey.expires_at:
        return Decision(state)
    message = SurveyReply(
        **_facts(state, survey, occasion),
        response_speed=answer.response_speed,
        effectiveness=answer.effectiveness,
        attitude=answer.attitude,
        overall=answer.overall,
        text=answer.text,
    )
    return Decision(replaced(state, survey=None), (message,))


def end(state: CaseFollowup, reason: Literal["expired", "reopened"], occasion: Occasion) -> Decision:
    """Withdraw the question: nobody answered in time, or the case goes on."""
    if state.survey is None:
        return Decision(state)
    message = SurveyExpired(**_facts(state, state.survey, occasion), reason=reason)
    return Decision(replaced(state, survey=None), (message,))


def due(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Let a survey expire that nobody answered."""
    if state.survey is None or occasion.at < state.survey.expires_at:
        return Decision(state)
    return end(state, "expired", occasion)


def _facts(state: CaseFollowup, survey: Survey, occasion: Occasion) -> dict[str, Any]:
    return {
        "case_id": state.case_id,
        "occurred_at": occasion.at,
        "policy": occasion.rules.reference,
        "cause": occasion.cause,
        "survey_id": survey.survey_id,
        "customer_id": state.customer_id,
        "cycle": survey.cycle,
    }
