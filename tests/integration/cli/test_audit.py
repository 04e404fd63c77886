"""Does the audit prove what stands on real topics, and does it find what is taken away?"""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts.channel import MessageReceived
from contracts.intake import ContactReceived, ProposedDemand
from contracts.message import Message, derived_id
from contracts.router import CaseOpened, seal
from contracts.values import Cause
from services.cli.audit.command import audit
from services.cli.connection import Where, find
from services.cli.failures import CommandError
from services.cli.reading import ends_of, reader, records_until, seek
from services.cli.schemas import schema
from services.cli.send import send
from services.runtime import envelope, kafka
from tests.support.examples import MOMENT, example

CASE = derived_id("a case of an audit on real topics")
CONTACT = derived_id("a contact of an audit on real topics")
ADVANCE = "INSERT INTO koff (topic, partition, next_offset) VALUES ($1, $2, $3)"


async def _say(where: Where, said: Sequence[tuple[Message, bytes]]) -> None:
    """Put messages of services on their topics."""
    settings = find(where).settings()
    producer: AIOKafkaProducer = kafka.producer(settings)
    await producer.start()
    for message, value in said:
        headers = envelope.seal(message, message_id=CONTACT, source="caseloop/test", time=MOMENT, traceparent=None)
        topic = settings.topic_prefix + message.topic_name()
        await producer.send_and_wait(topic, value, key=message.key().encode(), headers=headers)
    await producer.stop()


async def _settle(where: Where) -> None:
    """Let every service have settled everything."""
    connection = find(where)
    listens = {
        "intake": [f"channel.{name}" for name in ("phone", "chat", "email", "social", "sms")],
        "router": ["contacts", "case.commands"],
        "followup": ["case.events"],
    }
    for service, topics in listens.items():
        async with reader(connection.settings(), topics) as consumer, schema(connection.postgres, service) as tables:
            for place, end in (await ends_of(consumer)).items():
                await tables.execute(ADVANCE, place.topic.removeprefix(connection.topic_prefix), place.partition, end)


def _contact() -> Message:
    message = example(ContactReceived)
    assert isinstance(message, ContactReceived)
    (proposed,) = message.demands
    demand = ProposedDemand(demand=proposed.demand, case_id=CASE, relation="opens")
    cause = Cause(id="e-1", type=MessageReceived.type)
    return message.model_copy(update={"cause": cause, "demands": (demand,)})


def _opened() -> CaseOpened:
    cause = Cause(id=str(CONTACT), type=ContactReceived.type)
    opened = example(CaseOpened).model_copy(update={"case_id": CASE, "version": 1, "cause": cause})
    assert isinstance(opened, CaseOpened)
    return opened


async def _audited(
    where: Where, capsys: pytest.CaptureFixture[str], wait: float = 5.0
) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    status = await audit(wait=wait, json=True, where=where)
    return status, orjson.loads(capsys.readouterr().out)


def _checks(told: dict[str, object]) -> list[str]:
    findings = told["findings"]
    assert isinstance(findings, list)
    return sorted(finding["check"] for finding in findings)


async def test_an_event_that_came_twice_is_understood_once(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        await send("sms", text="ERR-500", from_=["phone:+8613800005678"], id_="e-1", conversation="c", where=where)
    contact, opened = _contact(), _opened()
    await _say(where, [(contact, contact.value()), (opened, seal(opened)[0])])
    await _settle(where)

    status, told = await _audited(where, capsys)

    # Router and followup, which do not run here, hold no row of the case; notify and desk have not come so far.
    assert (status, _checks(told)) == (1, ["memory", "table"])
    assert told["channel_events"] == {"total": 2, "understood": 1, "duplicate": 1}
    assert (told["cases"], told["case_events"]) == (1, 1)


async def test_what_was_lost_is_found(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await send("sms", text="lost", conversation="c", where=where)
    contact, opened = _contact(), _opened()
    changed = orjson.dumps({**orjson.loads(seal(opened)[0]), "department": "another"})
    other = opened.model_copy(update={"cause": Cause(id="somebody", type="else")})
    await _say(where, [(contact, contact.value()), (other, changed.replace(str(CONTACT).encode(), b"somebody"))])
    await _settle(where)

    status, told = await _audited(where, capsys)

    assert (status, _checks(told)) == (1, ["chain", "channel event", "contact", "memory", "table"])


async def test_what_nobody_has_settled_is_found(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await send("sms", text="waits", conversation="c", where=where)

    status, told = await _audited(where, capsys, wait=0.0)

    findings = told["findings"]
    assert isinstance(findings, list)
    assert status == 1
    assert any(finding["check"] == "settling" and "intake" in finding["where"] for finding in findings)
    assert told["channel_events"] == {"total": 1, "in_flight": 1}
    assert isinstance(told["oldest_in_flight_seconds"], float)


async def test_only_events_of_a_range_of_time_are_accounted_for(
    where: Where, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        await send("sms", text="lost", conversation=f"c-{number}", where=where)
    async with reader(find(where).settings(), ["channel.sms"]) as consumer:
        ends = await ends_of(consumer)
        await seek(consumer, None)
        times = sorted([each.timestamp async for some in records_until(consumer, ends) for each in some])
    await _settle(where)
    second, third = (f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z" for at in times[1:])

    assert await audit(since=second, json=True, where=where) == 1
    assert await audit(since=second, until=third, json=True, where=where) == 1
    assert await audit(until=second, json=True, where=where) == 1

    totals = [orjson.loads(line)["findings_total"] for line in capsys.readouterr().out.splitlines()[-3:]]
    assert totals == [2, 1, 1]


async def test_what_acts_is_asked_for_in_so_many_words(where: Where) -> None:
    with pytest.raises(CommandError, match="only with --repair"):
        await audit(yes=True, where=where)


async def test_the_proof_is_told_in_words(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit(where=where) == 0
    assert "proven: nothing was lost" in capsys.readouterr().out

    await send("sms", text="lost", conversation="c", where=where)
    await _settle(where)
    assert await audit(repair=True, where=where) == 1
    said = capsys.readouterr().out
    assert "it has no ending" in said
    assert "would: publish channel.sms/" in said
    assert "nothing was changed; add --yes to do it" in said
