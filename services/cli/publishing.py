"""How does a command put events on a topic, as any gateway or integrator would?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka.errors import KafkaError
from uuid_utils.compat import uuid7

from contracts.message import Message
from contracts.values import rfc3339
from services.cli.connection import Connection
from services.cli.failures import CommandError
from services.runtime import kafka

SOURCE = "caseloop-cli"


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent to publish; source and id together are what makes a repeat recognisable."""

    message: Message
    id: str
    time: datetime
    source: str = SOURCE

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the record headers (binary mode)."""
        attributes = {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.message.type,
            "ce_time": rfc3339(self.time),
            "content-type": "application/json",
        }
        if subject := self.message.subject():
            attributes["ce_subject"] = subject
        return [(name, value.encode()) for name, value in attributes.items()]


def new_id() -> str:
    """Return an id that nobody had before; ids that follow each other sort by time."""
    return str(uuid7())


async def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Publish in this order and return when the brokers have them all; ``CommandError`` when they do not take one."""
    settings = connection.settings()
    producer = kafka.producer(settings)
    try:
        await producer.start()
        sent = [
            await producer.send(
                settings.topic_prefix + event.message.topic_name(),
                event.message.value(),
                key=event.message.key().encode() or None,
                headers=event.headers(),
            )
            for event in events
        ]
        for waiting in sent:
            await waiting
    except KafkaError as problem:
        refusal = f"Kafka at {settings.kafka_bootstrap} did not take it ({type(problem).__name__})"
        raise CommandError(f"{refusal}; look with `caseloop status`") from None
    finally:
        await producer.stop()
