"""Which service takes a case through its steps on Restate? An ASGI application that Hypercorn serves.

Each step is a ``ctx.run`` whose result Restate keeps in its journal; the last one sends the record and waits for the
broker's word on it.
"""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import orjson
import restate
from aiokafka import AIOKafkaProducer

from tests.bench.peers.event import CLOSED, STEPS

Event = Mapping[str, object]
CASES = restate.Service("Cases")
NO_OPTIONS = restate.RunOptions()


@cache
def _producer() -> "asyncio.Future[AIOKafkaProducer]":
    """Return the process's one producer, which is started with the first record."""
    return asyncio.ensure_future(_started())


async def _started() -> AIOKafkaProducer:
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["PEER_KAFKA"], acks="all")
    await producer.start()
    return producer


async def step(event: Event, name: str) -> Event:
    """Do what a step does."""
    return {**event, "state": name, "at": datetime.now(UTC).isoformat()}


async def close(event: Event) -> Event:
    """Do the last step and say so."""
    done = await step(event, STEPS[-1])
    producer = await _producer()
    key = str(done["case_id"]).encode()
    await producer.send_and_wait(os.environ["PEER_PREFIX"] + CLOSED, orjson.dumps(done), key=key)
    return done


@CASES.handler()
async def run(ctx: restate.Context, event: dict) -> str:  # type: ignore[type-arg]  # Restate reads the bare type
    """Take one case through its steps."""
    for name in STEPS[:-1]:
        event = await ctx.run_typed(name, step, NO_OPTIONS, event, name)
    await ctx.run_typed(STEPS[-1], close, NO_OPTIONS, event)
    return CLOSED


app = restate.app([CASES])
