"""Which topics are there, who writes them, and how long are they kept?"""

from dataclasses import dataclass
from typing import Literal

DAY_SECONDS = 86_400
PARTITIONS = 12
REPLICATION = 3
RECORD_BYTES_MAX = 1_048_576
"""Largest value of a record; what is larger is parked as ``too_large``."""
CHANNELS = ("phone", "chat", "email", "social", "sms")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; ``retention_seconds`` of ``None`` keeps records for ever."""

    name: str
    key: str
    written_by: Literal["outsiders", "intake", "router", "followup", "notify"]
    retention_seconds: int | None
    purpose: str
    compacted: bool = False
    partitions: int = PARTITIONS

    @property
    def public_door(self) -> bool:
        """Tell whether outsiders write here: structured mode is read and repeats are expected."""
        return self.written_by == "outsiders"


_WEEK = 7 * DAY_SECONDS
_MONTH = 30 * DAY_SECONDS

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        *(
            Topic(
                f"channel.{channel}", "conversation id", "outsiders", _WEEK, f"what happened on the channel {channel}"
            )
            for channel in CHANNELS
        ),
        Topic("agents", "agent id", "outsiders", _WEEK, "profiles and presence", compacted=True),
        Topic("case.commands", "case id", "outsiders", _WEEK, "requests to change a case"),
        Topic("channel.receipts", "delivery or callback id", "outsiders", _WEEK, "what became of a message or a call"),
        Topic("contacts", "conversation id", "intake", _WEEK, "understood contacts and demands"),
        Topic("case.events", "case id", "router", None, "the public journal"),
        Topic("case.snapshots", "case id", "router", None, "the latest state of each case", compacted=True),
        Topic("followups", "case id", "followup", _MONTH, "clocks, promises, callbacks, surveys"),
        Topic("notifications", "case id", "notify", _MONTH, "what became of each message to a customer"),
        Topic(
            "channel.outbound",
            "conversation id, else recipient",
            "notify",
            _WEEK,
            "what a gateway should show, send or dial",
        ),
    )
}
