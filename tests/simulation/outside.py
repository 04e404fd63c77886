"""What do gateways, people and exchanges put on the public topics, and how often?

Outsiders repeat themselves: the same event may come twice, on another partition too. What was put there is kept, so
that the checks know what must have had an effect.
"""

from dataclasses import dataclass, field

from contracts.message import Message, derived_id
from services.runtime import envelope
from tests.simulation.bus import PARTITIONS, Bus

SOURCE = "tests/simulation"


@dataclass(slots=True)
class Outside:
    """Everybody who writes to a public topic."""

    bus: Bus
    said: dict[str, Message] = field(default_factory=dict)
    """By event id."""

    def say(self, message: Message, event_id: str) -> None:
        """Publish one event, now and then once more."""
        world = self.bus.world
        self.said[event_id] = message
        self._publish(message, event_id, None)
        if world.faults.strikes("event_again"):
            world.after(world.faults.seconds(0.0, 600.0), lambda: self._publish(message, event_id, None))
        if world.faults.strikes("event_elsewhere"):
            partition = world.chance.randrange(PARTITIONS)
            world.after(world.faults.seconds(0.0, 5.0), lambda: self._publish(message, event_id, partition))

    def _publish(self, message: Message, event_id: str, partition: int | None) -> None:
        headers = [
            (name, event_id.encode() if name == "ce_id" else value)
            for name, value in envelope.seal(
                message,
                message_id=derived_id(event_id),
                source=SOURCE,
                time=self.bus.world.now(),
                traceparent=None,
            )
        ]
        self.bus.append(message.topic_name(), message.key().encode(), message.value(), headers, partition)
