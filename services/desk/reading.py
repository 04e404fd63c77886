"""How much of a public message does desk read when it arrives? What its tables need; the rest stays in the bytes."""

from collections.abc import Iterable, Mapping

from contracts import followup, notify, router
from contracts.message import Message
from services.desk.domain.board import FIELDS
from services.runtime.reading import part_of

WHOLE: frozenset[type[Message]] = frozenset(
    {
        router.CaseOpened,
        router.CaseProgressed,
        router.CallbackCompleted,
        router.CallbackExhausted,
        router.SurveyAnswered,
    }
)
"""Tables 1 to 3 are read out of these: one that is not as it should be must not get among the others."""
_JOURNAL = ("case_id", "case_number", "version", "state", "occurred_at")
_UNREAD = {"policy", "cause", "calendar", "provider_ref", "until"}
"""Fields of clocks and notifications that no table has."""


def reads(wanted: Iterable[type[Message]]) -> Mapping[type[Message], type[Message]]:
    """Return for each of these messages the class that reads a part of it; what is read is checked as in the whole."""
    return {message: part_of(message, _fields_of(message)) for message in wanted if message not in WHOLE}


def _fields_of(message: type[Message]) -> list[str]:
    if issubclass(message, followup.ClockMessage | notify.Notification):
        return [name for name in message.model_fields if name not in _UNREAD]
    return [*_JOURNAL, *FIELDS.get(message.type, ())]
