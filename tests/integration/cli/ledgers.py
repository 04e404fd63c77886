"""What do tests of the audit share: whole cases on topics and tables of their own, spoilt or not?"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from services.cli.audit.command import audit
from services.cli.connection import Where, find
from services.cli.schemas import schema
from services.runtime.frames import unpack
from services.runtime.outbox import BUCKETS
from services.runtime.publishing import KafkaPublisher
from tests.support.ledger import Ledger

CASES = 20
Spoil = Callable[[str, bytes], bytes | None]
Spoiling = Callable[[Ledger], Spoil]
Told = dict[str, Any]
Fill = Callable[..., Awaitable[Ledger]]


async def audited(where: Where, capsys: pytest.CaptureFixture[str], **asked: Any) -> Told:  # noqa: ANN401 - options of the command
    """Return what the audit says as JSON."""
    capsys.readouterr()
    status = await audit(wait=2.0, json=True, where=where, **asked)
    told: Told = orjson.loads(capsys.readouterr().out)
    assert status == (0 if told["proven"] else 1)
    return told


def an_event(ledger: Ledger, number: int, version: int, change: Callable[[bytes], bytes | None]) -> Spoil:
    """Return what spoils one event of the journal."""
    start = b'"case_id":"%b"' % str(ledger.case_id(number)).encode()

    def spoil(topic: str, value: bytes) -> bytes | None:
        ours = topic == "case.events" and start in value and b'"version":%d}' % version in value
        ours = ours or (topic == "case.events" and start in value and b'"version":%d,' % version in value)
        return change(value) if ours else value

    return spoil


def flipped(value: bytes, at: int) -> bytes:
    """Return the value with one bit turned."""
    at %= len(value)
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


async def relay(where: Where, service: str) -> int:
    """Say what stands in an outbox, as the relay of a running service would."""
    connection, frames = find(where), []
    async with schema(connection.postgres, service) as tables:
        rows = await tables.fetch("DELETE FROM outbox RETURNING id, bucket, frames")
    publisher = KafkaPublisher(connection.settings())
    for row in rows:
        assert 0 <= row["bucket"] < BUCKETS
        frames += list(unpack(row["frames"]))
    published = await publisher.publish({0: frames}, 10)
    assert published.problem is None
    await publisher.close()
    return len(frames)


async def kept(where: Where, service: str) -> list[str]:
    """Return the repairs that a service keeps."""
    async with schema(find(where).postgres, service) as tables:
        return [row["repair"] for row in await tables.fetch("SELECT repair FROM repairs ORDER BY repair_id")]


async def settled(where: Where, service: str, topic: str) -> None:
    """Let a service have read to the end of a topic."""
    async with schema(find(where).postgres, service) as tables:
        await tables.execute("UPDATE koff SET next_offset = 1000000 WHERE topic = $1", topic)
