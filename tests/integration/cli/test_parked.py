"""Can an operator find, read, retry and give up what is parked, many at once and without seeing personal data?"""

from datetime import timedelta

import orjson
import pytest

from contracts.channel import MessageReceived
from services.cli import parked
from services.cli.connection import Where
from services.cli.failures import BAD_INPUT, CommandError
from services.cli.lot_filter import Filter
from services.cli.schemas import schema
from services.cli.status import status
from services.runtime import parking
from services.runtime.clock import SystemClock
from services.runtime.endings import Dead, Reason
from services.runtime.pieces import Entry
from services.runtime.records import Record

VALUE = orjson.dumps({
    "channel": "chat", "conversation_id": "c", "message_id": "m", "author": "nobody",
    "from": [{"kind": "phone", "value": "+8613800001111"}], "text": "I am Li Lei", "+8613800002222": 1,
})  # fmt: skip


async def _park(
    where: Where,
    offset: int,
    *,
    reason: Reason = "malformed_json",
    topic: str = "channel.chat",
    key: bytes = b"c",
    value: bytes = b'{"no json',
    hours_ago: float = 0,
) -> None:
    headers = (("ce_id", b"e-1"), ("ce_type", MessageReceived.type.encode()), ("x-caller", b"+8613800003333"))
    record = Record(topic, 0, offset, 0, key, value, headers)
    at = SystemClock().now() - timedelta(hours=hours_ago)
    async with schema(str(where.postgres), "intake") as connection:
        await parking.park(connection, [(Entry(record, None), Dead(reason, "it ends early"))], at)


async def _lot(where: Where, capsys: pytest.CaptureFixture[str], **wanted: str) -> list[tuple[str, int]]:
    capsys.readouterr()
    await parked.list_(filter_=Filter(**wanted), all_=not wanted, json=True, where=where)
    return [(item["status"], item["offset"]) for item in orjson.loads(capsys.readouterr().out)["parked"]]


async def _actions(where: Where) -> list[tuple[str, str]]:
    async with schema(str(where.postgres), "intake") as connection:
        rows = await connection.fetch("SELECT action, reason FROM parked_actions ORDER BY action_id")
    return [(row["action"], row["reason"]) for row in rows]


async def test_records_are_shown_retried_and_discarded(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    for offset in (1, 2):
        await _park(where, offset)
    await parked.list_(json=True, where=where)
    first, second = (item["id"] for item in orjson.loads(capsys.readouterr().out)["parked"])

    await parked.show(first, personal=True, json=True, where=where)
    shown = orjson.loads(capsys.readouterr().out)
    assert bytes.fromhex(shown["value_hex"]) == b'{"no json'
    assert (shown["reason"], shown["headers"]["x-caller"]) == ("malformed_json", "+8613800003333")

    await parked.retry(first, where=where)
    await parked.discard(second, reason="a test of the gateway", where=where)
    assert await _lot(where, capsys) == [("retry", 1), ("discarded", 2)]
    assert await _actions(where) == [
        ("reveal", "parked show"),
        ("retry", "asked for by a person"),
        ("discard", "a test of the gateway"),
    ]


async def test_a_look_shows_no_personal_data_and_tells_who_acted(
    where: Where, capsys: pytest.CaptureFixture[str]
) -> None:
    await _park(where, 1, reason="invalid_data", value=VALUE)
    await parked.retry("intake:1", reason="the gateway is mended", where=where)
    for as_json in (True, False):
        capsys.readouterr()
        await parked.show("intake:1", json=as_json, where=where)
        shown = capsys.readouterr().out
        assert "invalid_data" in shown
        assert "the gateway is mended" in shown
        assert "message_id" in shown
        assert not [secret for secret in ("13800", "Li Lei", VALUE.hex()[:40]) if secret in shown]
    assert [action for action, _ in await _actions(where)] == ["retry"]


async def test_a_lot_is_filtered(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await _park(where, 1, hours_ago=3)
    await _park(where, 2, reason="handler_failed", key=b"d")
    await _park(where, 3, topic="channel.sms")

    assert await _lot(where, capsys, code="handler_failed") == [("dead", 2)]
    assert await _lot(where, capsys, topic="channel.sms") == [("dead", 3)]
    assert await _lot(where, capsys, key="c") == [("dead", 1), ("dead", 3)]
    assert await _lot(where, capsys, older_than="2h") == [("dead", 1)]
    assert await _lot(where, capsys, service="desk") == []
    for wrong in ({"older_than": "soon"}, {"service": "nobody"}):
        with pytest.raises(CommandError) as refused:
            await _lot(where, capsys, **wrong)
        assert refused.value.exit_code == BAD_INPUT


async def test_many_are_retried_or_discarded_only_when_somebody_confirms(
    where: Where, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "PAGE", 2)
    for offset in range(5):
        await _park(where, offset, reason="handler_failed")
    await _park(where, 9, reason="too_large")
    failed = Filter(code="handler_failed")

    with pytest.raises(CommandError, match="5 records would be retried: add --yes") as refused:
        await parked.retry(filter_=failed, where=where)
    assert refused.value.exit_code == BAD_INPUT
    assert {state for state, _ in await _lot(where, capsys)} == {"dead"}
    assert await _actions(where) == []

    await parked.retry(filter_=failed, reason="the deploy is fixed", yes=True, where=where)
    assert await _lot(where, capsys) == [*(("retry", offset) for offset in range(5)), ("dead", 9)]
    assert await _actions(where) == [("retry", "the deploy is fixed")] * 5
    await parked.discard(filter_=Filter(topic="channel.chat"), reason="a flood", yes=True, where=where)
    assert {state for state, _ in await _lot(where, capsys)} == {"discarded"}

    await parked.discard(filter_=failed, reason="a flood", where=where)
    assert "no parked record is meant" in capsys.readouterr().out


async def test_it_must_be_said_which_records_are_meant(where: Where) -> None:
    for ids, wanted in (((), Filter()), (("intake:1",), Filter(topic="channel.chat"))):
        with pytest.raises(CommandError, match="name parked records"):
            await parked.retry(*ids, filter_=wanted, yes=True, where=where)


async def test_a_record_that_nobody_looks_at_is_a_warning(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await _park(where, 1, hours_ago=23)
    assert await status(json=True, where=where) == 0
    assert orjson.loads(capsys.readouterr().out)["services"]["intake"]["warnings"] == []

    await _park(where, 2, hours_ago=25)

    assert await status(json=True, where=where) == 0
    (warning,) = orjson.loads(capsys.readouterr().out)["services"]["intake"]["warnings"]
    assert warning.startswith("a record has been parked for 25.0 h")
    await status(where=where)
    assert warning in capsys.readouterr().out


async def test_what_is_not_parked_cannot_be_retried(where: Where) -> None:
    with pytest.raises(CommandError, match="not waiting in the parking lot: intake:99"):
        await parked.retry("intake:99", where=where)
    with pytest.raises(CommandError, match="nothing is parked as desk:1"):
        await parked.show("desk:1", where=where)


async def test_a_retry_that_changed_nothing_is_told(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await _park(where, 1)
    await parked.retry("intake:1", where=where)
    assert "how that ends: `caseloop parked list --all`" in capsys.readouterr().out
    async with schema(str(where.postgres), "intake") as connection:
        await connection.execute("UPDATE parked SET status = 'no_effect', next_attempt_at = NULL")

    assert await _lot(where, capsys) == [("no_effect", 1)]
    await parked.show("intake:1", where=where)
    assert "tried again and changed nothing" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(CommandError, match="not waiting"):
        await parked.retry("intake:1", where=where)
