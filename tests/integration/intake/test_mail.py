"""Does an e-mail find its thread, its case, or the bin for machines?"""

import base64

import pytest

from contracts.channel import EmailReceived
from contracts.intake import (
    ContactIgnored,
)
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import mail, only, received, text


async def test_a_mail_thread_is_one_conversation_and_quotes_are_cut(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    reply = await only(
        desk,
        mail(
            "Re: Broken kettle",
            "Any news?\r\n\r\nOn Mon, Nov 2, 2026 at 9:30 AM Shop <h@shop.example> wrote:\r\n> hello",
            "2@example.com",
            In_Reply_To="<ours@shop.example>",
            References="<1@example.com> <ours@shop.example>",
        ),
    )

    assert reply.contact.conversation_id == first.contact.conversation_id
    assert reply.text == "Any news?"
    assert reply.joins == (first.demands[0].case_id,)
    assert first.contact.in_reply_to == "<1@example.com>"
    assert first.contact.reply_token
    assert first.contact.contact_id != reply.contact.contact_id


async def test_a_case_number_in_the_subject_finds_the_case(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    other = await only(desk, mail(f"[{first.contact.reply_token}] news", "please tell me more", "9@elsewhere.net"))

    assert other.joins == (first.demands[0].case_id,)


async def test_a_wrong_case_number_finds_nothing(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    assert first.contact.reply_token
    token = first.contact.reply_token
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    other = await only(
        desk, mail(f"[{wrong}] my lamp", "the lamp is broken", "9@elsewhere.net", sender="x@example.org")
    )
    assert [demand.relation for demand in other.demands] == ["opens"]


@pytest.mark.parametrize(
    ("headers", "sender", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "li@example.com", "automatic"),
        ({"List_Id": "<news.example.com>"}, "li@example.com", "mailing_list"),
        ({"Return_Path": "<>"}, "MAILER-DAEMON@example.com", "bounce"),
        ({"X_Caseloop_Delivery": "7"}, "li@example.com", "own_message"),
    ],
)
async def test_automatic_mail_is_ignored_and_leaves_nothing_behind(
    desk: Desk,
    headers: dict[str, str],
    sender: str,
    reason: str,
) -> None:
    [said] = await desk.hear(mail("Re: your mail", "I am away", "5@example.com", sender=sender, **headers))

    assert isinstance(said, ContactIgnored)
    assert said.reason == reason
    assert await desk.pool.fetchval("SELECT count(*) FROM customers") == 0


async def test_a_sender_over_the_threshold_is_a_loop(desk: Desk) -> None:
    said = await desk.hear(*(mail(f"Broken {number}", "it is broken", f"{number}@example.com") for number in range(31)))
    later = await desk.hear(mail("Broken", "it is broken", "99@example.com"))

    assert [message.reason for message in [*said, *later] if isinstance(message, ContactIgnored)] == ["loop", "loop"]
    desk.later(hours=2)
    assert received(await desk.hear(mail("Broken", "it is broken", "100@example.com")))


async def test_broken_base64_and_nul_do_not_stop_anybody(desk: Desk) -> None:
    raw = base64.b64encode(b"From: a@b.co\r\nSubject: x\r\n\r\nthe lamp \0 is broken").decode()
    said = await desk.hear(
        EmailReceived(channel="email", raw_base64="%%% not base64"),
        EmailReceived(channel="email", raw_base64=raw),
        text("broken \0 lamp", conversation="c\0d"),
    )
    assert len(received(said)) == 3
    assert "\0" not in "".join(message.text for message in received(said))
