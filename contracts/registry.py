"""Which message types exist? Type name to class, the whole public vocabulary."""

from types import ModuleType

from contracts import channel, desk, followup, intake, notify, router
from contracts.message import Message


def _messages_of(module: ModuleType) -> dict[str, type[Message]]:
    return {
        candidate.type: candidate
        for candidate in vars(module).values()
        if isinstance(candidate, type) and issubclass(candidate, Message) and candidate.type
    }


MESSAGES: dict[str, type[Message]] = {
    name: message
    for module in (channel, desk, intake, router, followup, notify)
    for name, message in sorted(_messages_of(module).items())
}
"""CloudEvents type to class."""


def topics_of(message: type[Message]) -> tuple[str, ...]:
    """Return the topics that may carry this message, without a deployment's prefix."""
    if issubclass(message, channel.ChannelMessage):
        only_email = message is channel.EmailReceived
        return (
            ("channel.email",)
            if only_email
            else tuple(f"channel.{name}" for name in ("phone", "chat", "email", "social", "sms"))
        )
    return (message.topic,)
