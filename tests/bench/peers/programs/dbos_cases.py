"""Which program takes cases through their steps on DBOS? A consumer that starts a workflow for each record.

``python -m tests.bench.peers.programs.dbos_cases EXECUTOR [THREADS]`` is one process of it, with as many threads as it
likes unless told. A workflow's id is its record's place in the topic, so that a record read twice is one workflow; the
offset is stored after the workflow was. The last step sends the record and waits for the broker's word on it.
"""

import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from confluent_kafka import Consumer, Message, Producer
from dbos import DBOS, SetWorkflowID

from tests.bench.peers.event import CLOSED, CONTACTS, STEPS

Event = Mapping[str, object]
KAFKA, PREFIX = os.environ["PEER_KAFKA"], os.environ["PEER_PREFIX"]
POLL_SECONDS = 1.0
PRODUCER = Producer({"bootstrap.servers": KAFKA, "acks": "all", "linger.ms": 0})


def step(event: Event, name: str) -> Event:
    """Do what a step does."""
    return {**event, "state": name, "at": datetime.now(UTC).isoformat()}


def close(event: Event, name: str) -> Event:
    """Do the last step and say so."""
    done, told, problems = step(event, name), threading.Event(), []

    def delivered(problem: object, _: Message) -> None:
        problems.append(problem)
        told.set()

    PRODUCER.produce(PREFIX + CLOSED, orjson.dumps(done), key=str(done["case_id"]), on_delivery=delivered)
    told.wait()
    if problems != [None]:
        raise RuntimeError(problems)
    return done


@DBOS.workflow()
def run(event: Event) -> None:
    """Take one case through its steps."""
    for name in STEPS[:-1]:
        event = DBOS.run_step({"name": name}, step, event, name)
    DBOS.run_step({"name": STEPS[-1]}, close, event, STEPS[-1])


def serve() -> None:
    """Start a workflow for each record."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": PREFIX + "cases",
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
        }
    )
    consumer.subscribe([PREFIX + CONTACTS])
    while True:
        record = consumer.poll(POLL_SECONDS)
        if record is None or record.error():
            continue
        with SetWorkflowID(f"{record.topic()}-{record.partition()}-{record.offset()}"):
            DBOS.start_workflow(run, orjson.loads(record.value()))
        consumer.store_offsets(message=record)


def deliver() -> None:
    """Hear the broker's words on what was sent."""
    while True:
        PRODUCER.poll(POLL_SECONDS)


if __name__ == "__main__":
    name, *threads = sys.argv[1:]
    DBOS(
        config={
            "name": "cases",
            "system_database_url": os.environ["PEER_POSTGRES"],
            "executor_id": name,
            "max_executor_threads": int(threads[0]) if threads else None,
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    threading.Thread(target=deliver, daemon=True).start()
    serve()
