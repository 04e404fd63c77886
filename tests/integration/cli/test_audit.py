"""Does the audit prove what stands on real topics, and does it find what is taken away?"""

from collections.abc import Sequence

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
from services.cli.reading import ends_of, reader
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


async def test_a_whole_loop_is_proven(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        await send("sms", text="ERR-500", from_=["phone:+8613800005678"], id_="e-1", conversation="c", where=where)
    contact, opened = _contact(), _opened()
    await _say(where, [(contact, contact.value()), (opened, seal(opened)[0])])
    await _settle(where)

    status, told = await _audited(where, capsys)

    assert told["findings"] == []
    assert (status, told["proven"]) == (0, True)
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

    assert status == 1
    findings = told["findings"]
    assert isinstance(findings, list)
    assert sorted(finding["check"] for finding in findings) == ["chain", "channel event", "contact"]


async def test_what_nobody_has_settled_is_found(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await send("sms", text="waits", conversation="c", where=where)

    status, told = await _audited(where, capsys, wait=0.0)

    findings = told["findings"]
    assert isinstance(findings, list)
    assert status == 1
    assert any(finding["check"] == "settling" and "intake" in finding["where"] for finding in findings)


async def test_the_proof_is_told_in_words(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit(where=where) == 0

    assert "proven: nothing was lost" in capsys.readouterr().out
