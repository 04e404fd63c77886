"""Does `watch` follow the journal until it is told to stop?"""

import asyncio
import os
import signal

import orjson
import pytest

from contracts.message import derived_id
from contracts.router import CaseOpened, seal
from services.cli.connection import Where, find
from services.cli.watch import watch
from services.runtime import envelope, kafka
from tests.support.examples import MOMENT, example

DEADLINE_SECONDS = 20.0


async def _open(where: Where, name: str) -> CaseOpened:
    """Put the opening of a case on the journal."""
    opened = example(CaseOpened).model_copy(update={"case_id": derived_id("watched", name), "case_number": name})
    assert isinstance(opened, CaseOpened)
    settings = find(where).settings()
    headers = envelope.seal(opened, message_id=opened.case_id, source="caseloop/test", time=MOMENT, traceparent=None)
    producer = kafka.producer(settings)
    await producer.start()
    topic, key = f"{settings.topic_prefix}case.events", opened.key().encode()
    await producer.send_and_wait(topic, seal(opened)[0], key=key, headers=headers)
    await producer.stop()
    return opened


async def _watched(capsys: pytest.CaptureFixture[str], where: Where, lines: int, case: str | None) -> list[str]:
    """Return the first lines of ``watch`` and stop it as Ctrl-C would."""
    watching = asyncio.ensure_future(watch(case, from_start=True, json=True, where=where))
    seen = ""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while seen.count("\n") < lines:
            await asyncio.wait({watching}, timeout=0.05)
            seen += capsys.readouterr().out
    os.kill(os.getpid(), signal.SIGINT)
    await watching
    return seen.splitlines()


async def test_the_journal_is_followed_from_its_start(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    opened = [await _open(where, name) for name in ("one", "two")]

    told = [orjson.loads(line) for line in await _watched(capsys, where, 2, None)]

    assert {line["data"]["case_id"] for line in told} == {str(event.case_id) for event in opened}
    assert {line["type"] for line in told} == {CaseOpened.type}


async def test_one_case_can_be_followed(where: Where, capsys: pytest.CaptureFixture[str]) -> None:
    await _open(where, "other")
    wanted = await _open(where, "wanted")

    told = await _watched(capsys, where, 1, str(wanted.case_id))

    assert [orjson.loads(line)["data"]["case_number"] for line in told] == ["wanted"]
