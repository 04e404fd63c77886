"""Does anything that a customer said, or who the customer is, ever come into a log or a metric?

Each word here is on the system's topics and tables at the end, and stands in the way of every service once: in good
order, in a record that nobody can read, and in a row that PostgreSQL refuses and would quote.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx

from services.runtime.records import Record
from tests.support.floor import until
from tests.support.system import AWAKE, System, running_system
from tests.support.terminal import SECONDS, Terminal, at_terminal, settings_of
from tests.support.tiny import publish

SERVICES = ("intake", "router", "followup", "notify", "desk")
PHONE, OTHER_PHONE, THIRD_PHONE = "13977531864", "13977531865", "13977531866"
NAME = "Quixotine Zebrowski"
SAID = "Fire! The marmalade charger is burning and my son is hurt, please help"
REFUSED = "Error ERR-500 on my periwinkle tablet"
UNREADABLE = "xylophonic"
WORDS = (PHONE, OTHER_PHONE, THIRD_PHONE, "Quixotine", "Zebrowski", "marmalade", "periwinkle", UNREADABLE)
TABLES = ("router.cases", "followup.cases", "notify.cases", "desk.timeline")
REFUSE = "ALTER TABLE {} ADD CONSTRAINT nobody CHECK (false) NOT VALID"
"""From now on every row is refused, and PostgreSQL's error quotes it."""


async def test_neither_logs_nor_metrics_hold_what_is_personal(tmp_path: Path) -> None:
    with running_system(tmp_path, *AWAKE) as system:
        async with at_terminal(system) as person:
            await _talk_in_good_order(person)
            await _send_what_nobody_can_read(system)
            await _let_every_handler_fail(person)
        exposed = await _metrics(system)

    assert all("caseloop_" in text for text in exposed.values())
    assert [name for name, text in exposed.items() if _personal(text)] == []
    logs = {path.name: path.read_text("utf-8", errors="replace") for path in _logs(tmp_path)}
    assert {f"{name}.log" for name in (*SERVICES, "postgres")} | {"up.err", "broker.log"} <= logs.keys()
    assert "handler_failed" in logs["router.log"]
    assert {name: _personal(text) for name, text in logs.items() if _personal(text)} == {}


async def _metrics(system: System) -> dict[str, str]:
    async with httpx.AsyncClient() as client:
        return {name: (await client.get(f"{system.http(name)}/metrics")).text for name in SERVICES}


def _logs(data_dir: Path) -> Iterator[Path]:
    """Return every file that somebody writes who was not asked to keep data."""
    yield from (path for path in (data_dir / "logs").rglob("*") if path.is_file())
    yield from (data_dir / "up.err", data_dir / "postgres.log", data_dir / "kafka" / "broker.log")


def _personal(text: str) -> list[str]:
    found = text.casefold().replace(" ", "")
    return [word for word in WORDS if word.casefold() in found]


async def _talk_in_good_order(person: Terminal) -> None:
    """Let a customer in danger write by SMS and chat, until the answer is with the provider."""
    await person.sent("sms", SAID, f"+86{PHONE}")
    words = ("--text", SAID, "--from", f"phone:+86{PHONE}", "--name", NAME)
    await person.cli("send", "chat", *words)

    async def told() -> bool:
        async with httpx.AsyncClient() as client:
            return PHONE in (await client.get(f"{person.system.sms}/messages")).text

    await until(told, SECONDS)


async def _send_what_nobody_can_read(system: System) -> None:
    word = UNREADABLE.encode()
    headers = (("ce_specversion", b"1.0"), ("ce_id", word), ("ce_type", word), ("ce_source", word), (UNREADABLE, word))
    record = Record("channel.chat", 0, 0, 0, word, b'{"text": "' + word, headers)
    await publish(settings_of(system), [record])


async def _let_every_handler_fail(person: Terminal) -> None:
    """Let the tables refuse what a customer said, the innermost first, until every service has parked a record."""
    connection = await asyncpg.connect(person.system.postgres)
    try:
        for table in TABLES[1:]:
            await connection.execute(REFUSE.format(table))
        await person.sent("chat", REFUSED, f"+86{OTHER_PHONE}")
        await _until_failed(person, "followup", "notify", "desk")
        await connection.execute(REFUSE.format(TABLES[0]))
        await person.cli("send", "chat", "--text", REFUSED, "--from", f"phone:+86{OTHER_PHONE}")
        await _until_failed(person, "router")
        await connection.execute(REFUSE.format("intake.identifiers"))
        await person.cli("send", "sms", "--text", REFUSED, "--from", f"phone:+86{THIRD_PHONE}")
        await _until_failed(person, "intake")
    finally:
        await connection.close()


async def _until_failed(person: Terminal, *services: str) -> None:
    async def failed() -> bool:
        lot = json.loads(await person.cli("parked", "list", "--json"))["parked"]
        return set(services) <= {each["service"] for each in lot if each["reason"] == "handler_failed"}

    await until(failed, SECONDS)
