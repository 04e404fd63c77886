"""What is asked and told about callbacks and surveys of a case? (F2, F4, F5)"""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.desk import CancelCallback, RecordSurvey, ScheduleCallback
from contracts.message import derived_id
from contracts.router import CallbackCancelled, CallbackScheduled, RecoveryOpened, SurveyAnswered
from contracts.values import CallbackPurpose
from services.router.domain.case import Callback, Case, Survey, evolve
from services.router.domain.journal import SYSTEM, Decision, Occasion, Refusal, nothing, stamp, tell
from services.router.domain.numbers import dialable


def schedule_callback(case: Case, command: ScheduleCallback, occasion: Occasion) -> Decision | Refusal:
    """Promise a call; a second request for one purpose moves the first (F2)."""
    at = command.at or (command.window.not_before if command.window else None)
    not_after = command.window.not_after if command.window else None
    last = not_after or at
    if last is not None and last <= occasion.now:
        return Refusal("callback_in_the_past", "A callback names a time to come; the time given has passed.")
    if command.phone is not None and dialable(command.phone, _region(occasion)) is None:
        return Refusal("phone_not_allowed", "No valid telephone number; write it with + and its country, as +4930...")
    return called_back(case, command.purpose, at, not_after, command.phone, occasion)


def called_back(
    case: Case,
    purpose: CallbackPurpose,
    at: datetime | None,
    not_after: datetime | None,
    phone: str | None,
    occasion: Occasion,
) -> Decision:
    """Plan the call for this purpose, at the time given, else after the policy's time; never in the past.

    What nobody can dial is no number: the customer's own is called.
    """
    given = None if phone is None else dialable(phone, _region(occasion))
    soon = occasion.now + timedelta(seconds=occasion.policy.routing.callback_seconds)
    callback = Callback(
        callback_id=derived_id(case.case_id, "callback", purpose),
        purpose=purpose,
        at=soon if at is None else max(at, occasion.now),
        phone=given or next((party.value for party in case.customer.parties if party.kind == "phone"), None),
    )
    return scheduled(case, callback, not_after, case.agent_id, occasion)


def take_over_callback(case: Case, merged: Case, occasion: Occasion) -> Decision:
    """Plan the call that the customer of a merged case waits for, unless one is planned here (A4, F2)."""
    waited_for = next((each for each in merged.callbacks if _is_awaited(each)), None)
    if waited_for is None or any(_is_awaited(each) for each in case.callbacks):
        return nothing(case)
    return called_back(case, "requested", waited_for.at, None, waited_for.phone, replace(occasion, by=SYSTEM))


def _is_awaited(callback: Callback) -> bool:
    return callback.purpose == "requested" and callback.state == "planned"


def _region(occasion: Occasion) -> str:
    return occasion.policy.classification.identity.region


def scheduled(
    case: Case,
    callback: Callback,
    not_after: datetime | None,
    agent_id: str | None,
    occasion: Occasion,
) -> Decision:
    """Tell that a call is planned or moved."""
    after = with_callback(case, callback)
    return tell(
        after,
        CallbackScheduled(
            **stamp(after, occasion),
            callback_id=callback.callback_id,
            purpose=callback.purpose,
            at=callback.at,
            not_after=not_after,
            phone=callback.phone,
            agent_id=agent_id,
        ),
    )


def with_callback(case: Case, callback: Callback) -> Case:
    """Return the case with this callback in the place of its older self."""
    others = tuple(each for each in case.callbacks if each.callback_id != callback.callback_id)
    return evolve(case, callbacks=(*others, callback))


def cancel_callback(case: Case, command: CancelCallback, occasion: Occasion) -> Decision | Refusal:
    """Call off a planned call (F2)."""
    callback = case.callback(command.callback_id)
    if callback is None:
        return Refusal("unknown_callback", "This case has no callback with this id.")
    if callback.state != "planned":
        return Refusal("callback_ended", f"This callback is {callback.state}; nothing is left to cancel.")
    after = with_callback(case, callback.model_copy(update={"state": "cancelled"}))
    return tell(
        after,
        CallbackCancelled(
            **stamp(after, occasion),
            callback_id=callback.callback_id,
            purpose=callback.purpose,
            reason=command.reason,
        ),
    )


def record_survey(case: Case, command: RecordSurvey, occasion: Occasion) -> Decision | Refusal:
    """Keep the verdict that an agent took down (F4)."""
    if case.survey is None or case.survey.survey_id != command.survey_id:
        return Refusal("unknown_survey", "This case asked for no verdict with this survey_id.")
    if case.survey.answered:
        return Refusal("survey_already_answered", "The customer's verdict on this survey is known.")
    event = SurveyAnswered(
        **stamp(case, occasion),
        survey_id=command.survey_id,
        response_speed=command.response_speed,
        effectiveness=command.effectiveness,
        attitude=command.attitude,
        overall=command.overall,
        text=command.text,
        via="agent",
    )
    return surveyed(case, event, occasion)


def surveyed(case: Case, event: SurveyAnswered, occasion: Occasion) -> Decision:
    """Keep the verdict; a low one opens a recovery by the supervisor (F5)."""
    after = evolve(case, survey=Survey(survey_id=event.survey_id, answered=True))
    told = tell(after, event)
    limits = occasion.policy.routing.recovery
    items = [score for score in (event.response_speed, event.effectiveness, event.attitude) if score is not None]
    if event.overall > limits.overall_max and all(score > limits.item_max for score in items):
        return told
    return told.then(lambda current: _recovery(current, event, occasion))


def _recovery(case: Case, event: SurveyAnswered, occasion: Occasion) -> Decision:
    options = occasion.policy.routing.recovery.compensation_options
    language = next((name for name in options if name.split("-")[0] == case.customer.language.split("-")[0]), None)
    return tell(
        case,
        RecoveryOpened(
            **stamp(case, occasion),
            survey_id=event.survey_id,
            reason=f"overall {event.overall}",
            callback_id=derived_id(case.case_id, "callback", "recovery"),
            compensation_options=options.get(language or next(iter(options), ""), ()),
        ),
    )
