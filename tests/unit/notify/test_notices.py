"""Is every thing that is said about a message said under an id of its own, and a repeat under the same?"""

from dataclasses import replace
from datetime import timedelta

from contracts.message import derived_id
from services.notify.domain.notices import Notice
from tests.support.floor import NOW

NIGHT = Notice(
    "deferred", derived_id("delivery"), derived_id("case"), "milestone", "sms", reason="quiet_hours", until=NOW
)


def test_a_provider_that_asks_for_a_pause_after_quiet_hours_is_another_deferral() -> None:
    pause = replace(NIGHT, reason="http_429", until=NOW + timedelta(seconds=1))
    assert pause.message_id != NIGHT.message_id
    assert replace(NIGHT).message_id == NIGHT.message_id


def test_what_is_said_once_has_one_id_whatever_else_is_known() -> None:
    sent = replace(NIGHT, said="sent")
    assert replace(sent, until=None, reason=None).message_id == sent.message_id
