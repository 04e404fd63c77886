"""Can an operator prepare servers twice, send an event, and see how the services are?"""

from datetime import timedelta

import orjson
import pytest

from contracts.channel import ConversationStarted, MessageReceived
from contracts.desk import Resolve
from contracts.message import derived_id
from services.cli.command import command
from services.cli.connection import Where, find
from services.cli.failures import CommandError
from services.cli.operations import migrate, topics
from services.cli.reading import Record, ends_of, header, reader, records_until, seek
from services.cli.schemas import schema
from services.cli.send import send
from services.cli.status import status
from services.runtime.clock import SystemClock

CASE = derived_id("a case of a command")


async def _records(where: Where, topic: str) -> list[Record]:
    async with reader(find(where).settings(), [topic]) as consumer:
        ends = await ends_of(consumer)
        await seek(consumer, None)
        return [record async for some in records_until(consumer, ends) for record in some]


async def test_preparing_twice_changes_nothing(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await topics(json=True, where=where)
    await migrate(json=True, where=where)

    made, applied = (orjson.loads(line) for line in capsys.readouterr().out.splitlines())
    assert made == {"created": []}
    assert not any(applied["applied"].values())


async def test_a_text_is_sent_as_a_gateway_would(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await send("chat", text="ERR-500", from_=["phone:+8613800005678"], id_="e-1", json=True, where=where)

    started, said = sorted(await _records(where, "channel.chat"), key=lambda record: record.offset)
    assert header(started, "ce_type") == ConversationStarted.type
    assert (header(said, "ce_type"), header(said, "ce_id")) == (MessageReceived.type, "e-1")
    message = MessageReceived.read(said.value or b"")
    assert said.key == started.key == message.conversation_id.encode()
    told = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["topic"] for each in told] == ["channel.chat", "channel.chat"]


async def test_a_command_is_keyed_by_its_case(where: Where) -> None:
    await command("resolve", "resolution=restarted", case=str(CASE), by="agent:a-1", where=where)

    (record,) = await _records(where, "case.commands")
    assert record.key == str(CASE).encode()
    assert header(record, "ce_subject") == str(CASE)
    resolve = Resolve.read(record.value or b"")
    assert (resolve.case_id, resolve.resolution, resolve.by.id) == (CASE, "restarted", "a-1")


async def test_an_idle_system_is_well_and_a_message_that_waits_is_not(
    where: Where, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await status(json=True, where=where) == 0
    async with schema(str(where.postgres), "router") as connection:
        long_ago = SystemClock().now() - timedelta(minutes=5)
        await connection.execute("INSERT INTO outbox (bucket, frames, created_at) VALUES (0, '', $1)", long_ago)

    assert await status(json=True, where=where) == 1

    before, after = (orjson.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (before["healthy"], after["healthy"]) == (True, False)
    assert after["services"]["router"]["outbox_rows"] == 1
    assert after["services"]["router"]["problems"]


async def test_status_without_a_terminal_is_plain_lines(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status(where=where) == 0

    shown = capsys.readouterr().out
    assert "intake" in shown
    assert "\x1b" not in shown


async def test_a_server_that_is_not_there_is_named(where: Where) -> None:
    nowhere = Where(kafka=where.kafka, postgres="postgresql://u@127.0.0.1:9/none")
    with pytest.raises(CommandError, match=r"PostgreSQL at 127\.0\.0\.1:9/none"):
        await migrate(where=nowhere)
    with pytest.raises(CommandError, match=r"Kafka at 127\.0\.0\.1:9 does not answer"):
        await status(where=Where(kafka="127.0.0.1:9", postgres=where.postgres))
