"""Do rivals open exactly one case?"""

import asyncio

import pytest

from contracts.intake import (
    ContactMessage,
)
from services.runtime.errors import TransientError
from services.runtime.work import Work
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, received, text
from tests.support.floor import until


async def test_racing_first_messages_open_exactly_one_case(desk: Desk) -> None:
    async def one(words: str) -> list[ContactMessage]:
        envelope = desk.envelope(text(words, PHONE))
        for _ in range(10):
            try:
                return await desk.take(envelope)
            except TransientError:
                continue
        raise AssertionError(words)

    said = await asyncio.gather(*(one("耳机没声音了") for _ in range(8)))

    opened = [contact for each in said for contact in received(each) if contact.demands]
    assert len(opened) == 1
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1
    assert await desk.pool.fetchval("SELECT count(*) FROM customers") == 1


async def test_racing_conversations_of_one_customer_and_subject_open_one_case(desk: Desk) -> None:
    first, second = (
        desk.envelope(text("耳机没声音了", PHONE, conversation="a")),
        desk.envelope(
            text("耳机没声音了", PHONE, conversation="b"),
        ),
    )
    await desk.hear(text("你好", PHONE, conversation="z"))
    async with desk.pool.acquire() as one, desk.pool.acquire() as two:
        async with one.transaction():
            await desk.handler(Work(one, [first], desk.now))
            rival = asyncio.create_task(_in_transaction(desk, Work(two, [second], desk.now)))
            await until(lambda: _somebody_waits(desk))
        with pytest.raises(TransientError):
            await rival
    [contact] = received(await desk.take(second))
    assert contact.joins
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1


async def _somebody_waits(desk: Desk) -> bool:
    return bool(await desk.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def _in_transaction(desk: Desk, work: Work) -> None:
    async with work.connection.transaction():
        await desk.handler(work)
