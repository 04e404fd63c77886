"""Which program runs one step by hand? ``python -m tests.bench.peers.programs.plain_step STEP [defaults]``."""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from tests.bench.peers.event import CLOSED, CONTACTS, STEPS

TOPICS: Mapping[str, str] = dict(zip(STEPS, (CONTACTS, "opened", "classified", "assigned", "notified"), strict=True))
"""What a step reads; the last writes ``closed``."""
DEFAULTS = "defaults"
BROKER: Mapping[str, Any] = {"acks": "all"}
SUBSCRIBER: Mapping[str, Any] = {"ack_policy": AckPolicy.NACK_ON_ERROR}
"""What is chosen unless FastStream's defaults are wanted."""
POOL = 10
SCHEMA = """
CREATE SCHEMA plain;
CREATE TABLE plain.cases (case_id text PRIMARY KEY, state text NOT NULL, version integer NOT NULL, body jsonb NOT NULL);
CREATE TABLE plain.seen (step text, case_id text, PRIMARY KEY (step, case_id));
"""
SEEN = "INSERT INTO plain.seen (step, case_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
STORE = """
INSERT INTO plain.cases (case_id, state, version, body) VALUES ($1, $2, 1, $3)
ON CONFLICT (case_id) DO UPDATE SET state = $2, version = plain.cases.version + 1, body = $3
"""


class Event(BaseModel):
    """One record of a case."""

    case_id: str
    state: str
    at: datetime
    text: str
    facts: dict[str, str]


async def run(step: str, bootstrap: str, postgres: str, prefix: str, *, defaults: bool) -> None:
    """Serve one step until told to end."""
    broker = KafkaBroker(bootstrap, **({} if defaults else BROKER))
    subscriber = {} if defaults else SUBSCRIBER
    following = STEPS.index(step) + 1
    target = prefix + (TOPICS[STEPS[following]] if following < len(STEPS) else CLOSED)
    async with asyncpg.create_pool(postgres, min_size=POOL, max_size=POOL) as pool:

        @broker.subscriber(prefix + TOPICS[step], group_id=prefix + step, auto_offset_reset="earliest", **subscriber)
        async def handle(event: Event) -> None:
            done = event.model_copy(update={"state": step, "at": datetime.now(UTC)})
            async with pool.acquire() as connection, connection.transaction():
                if await connection.execute(SEEN, step, event.case_id) == "INSERT 0 1":
                    await connection.execute(STORE, event.case_id, step, done.model_dump_json())
            await broker.publish(done, target, key=event.case_id.encode())

        await FastStream(broker).run()


if __name__ == "__main__":
    given, places = sys.argv[1:], (os.environ[f"PEER_{name}"] for name in ("KAFKA", "POSTGRES", "PREFIX"))
    at_defaults = DEFAULTS in given
    with asyncio.Runner(loop_factory=None if at_defaults else uvloop.new_event_loop) as runner:
        runner.run(run(given[0], *places, defaults=at_defaults))
