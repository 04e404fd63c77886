"""Does a person at the command line see every record that cannot be read, mend the cause, and have it handled?

The system is young: its intake knows neither requests for callbacks nor e-mails of the first version. What those hold
is handled, as it was sent, once an intake that knows them has taken over.
"""

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.channel import CallbackRequested, EmailReceived, MessageReceived
from contracts.message import Message
from contracts.values import Party, rfc3339
from services.runtime.clock import SystemClock
from services.runtime.records import Record
from tests.support.crafted import TOO_OLD, crafted
from tests.support.floor import Seen, until
from tests.support.system import System, running_system
from tests.support.terminal import SECONDS, Terminal, at_terminal, events_of, settings_of
from tests.support.tiny import publish

OTHERS = ("--services", "router,followup,notify,desk")
MAIL = b"From: a@example.org\r\nTo: help@example.com\r\nSubject: ERR-500\r\n\r\nThe app shows ERR-500 after login\r\n"


def _record(message: Message, place: object, at: datetime) -> Record:
    """Return a record that a gateway writes."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"bad-input-{place}",
        "ce_source": "tests/bad-input",
        "ce_type": message.type,
        "ce_time": rfc3339(at),
        "content-type": "application/json",
    }
    headers = tuple((name, value.encode()) for name, value in attributes.items())
    return Record(message.topic_name(), 0, 0, 0, message.key().encode(), message.value(), headers)


def _words(place: object) -> MessageReceived:
    """Return what a customer of its own says."""
    phone = Party(kind="phone", value=f"+86137{place:0>8}")
    said = {"conversation_id": f"neighbour-{place}", "message_id": f"m-{place}", "author": "customer", "from": (phone,)}
    return MessageReceived.model_validate({"channel": "chat", "text": "The app shows error E42 after login", **said})


@contextmanager
def _intake(system: System, module: str, **settings: str) -> Iterator[None]:
    process: subprocess.Popen[bytes] = system.beside("router", "intake", module, **settings)
    try:
        yield
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


async def test_every_reason_code_is_shown_and_what_was_mended_is_handled_as_it_was_sent(tmp_path: Path) -> None:
    now = SystemClock().now()
    bad = [(reason, record) for reason, records in crafted(now).items() for record in records]
    chat = [_record(_words(0), 0, now)]
    for place, (_, record) in enumerate(bad, 1):
        chat += [record, _record(_words(place), place, now)]
    mendable = _mendable(now)
    expected = {(reason, "channel.chat", 0, 2 * place + 1) for place, (reason, _) in enumerate(bad)}
    expected |= {(reason, record.topic, 0, 0) for reason, record in mendable.items()}

    with running_system(tmp_path, *OTHERS) as system:
        async with at_terminal(system) as person:
            with _intake(system, "tests.support.older_intake"):
                await publish(settings_of(system), [*chat, *mendable.values()])
                lot = await _lot_of(person, len(expected), "dead")
                assert {(each["reason"], each["topic"], each["partition"], each["offset"]) for each in lot} == expected
                assert {each["service"] for each in lot} == {"intake"}
                neighbours = [f"neighbour-{place}" for place in range(len(bad) + 1)]
                assert sorted(await _conversations(person, len(neighbours))) == sorted(neighbours)

            with _intake(system, "services.intake", CASELOOP_INTAKE_INBOX_RETENTION_DAYS="365"):
                await person.cli("parked", "retry", "--service", "intake", "--yes", "--reason", "a newer intake")
                await _conversations(person, len(neighbours) + len(mendable))
                left = await _lot_of(person, len(bad) - 1, "dead")
            for reason, record in mendable.items():
                (was,) = (each for each in lot if (each["reason"], each["topic"]) == (reason, record.topic))
                await _is_as_it_was_sent(person, was["id"], record)
    assert {each["topic"] for each in left} == {"channel.chat"}
    assert {each["reason"] for each in left} == set(crafted(now)), "nobody mended the rest"


def _mendable(now: datetime) -> dict[str, Record]:
    """Return good records by the reason code that they are parked with, each alone on a topic."""
    call = CallbackRequested(channel="phone", conversation_id="mended-call", phone="+8613712345678")
    mail = EmailReceived(channel="email", raw_base64=base64.b64encode(MAIL).decode())
    late = _words(99).model_copy(update={"channel": "sms", "conversation_id": "mended-late"})
    return {
        "unknown_type": _record(call, "call", now),
        "unknown_version": _record(mail, "mail", now),
        "invalid_data": _record(late, "late", now - TOO_OLD),
    }


async def _lot_of(person: Terminal, number: int, status: str) -> Sequence[dict[str, Any]]:
    """Return what is parked once so many records are, each with this status."""
    lot: list[dict[str, Any]] = []

    async def reached() -> bool:
        lot[:] = json.loads(await person.cli("parked", "list", "--json"))["parked"]
        return len(lot) == number and {each["status"] for each in lot} == {status}

    await until(reached, SECONDS)
    return lot


async def _conversations(person: Terminal, number: int) -> list[str]:
    """Return the conversation of every case that was opened, once so many were."""

    def opened(seen: Seen) -> list[str]:
        return [told.data["contact"]["conversation_id"] for told in events_of(seen) if told.kind == "opened"]

    return opened(await person.read(lambda seen: len(opened(seen)) >= number))


async def _is_as_it_was_sent(person: Terminal, parked_id: str, record: Record) -> None:
    """Check that a record was handled after a person asked for it, with no byte of it changed."""
    shown = json.loads(await person.cli("parked", "show", parked_id, "--personal", "--json"))
    assert (shown["status"], shown["actions"][0]["reason"]) == ("retried", "a newer intake")
    assert record.value is not None
    assert shown["value_hex"] == record.value.hex()
    assert shown["key"] == (record.key or b"").decode()
    assert shown["headers"] == {name: (value or b"").decode() for name, value in record.headers}
