"""How do the tests of intake say what came in on a channel?"""

import base64

from contracts.channel import EmailReceived, MessageReceived
from contracts.intake import ContactMessage, ContactReceived
from contracts.values import Channel, Party
from tests.integration.intake.conftest import Desk

PHONE = Party(kind="phone", value="138 0013 8000")
MEMBER = Party(kind="member", value="M-77")


def text(words: str, *parties: Party, conversation: str = "chat-1", channel: Channel = "chat") -> MessageReceived:
    return MessageReceived(
        channel=channel,
        conversation_id=conversation,
        message_id="m",
        author="customer",
        text=words,
        from_=parties,
    )


def mail(subject: str, body: str, message_id: str, sender: str = "li@example.com", **headers: str) -> EmailReceived:
    lines = [f"From: Li <{sender}>", "To: help@shop.example", f"Subject: {subject}", f"Message-ID: <{message_id}>"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", body])
    return EmailReceived(channel="email", raw_base64=base64.b64encode(raw.encode()).decode())


def received(said: list[ContactMessage]) -> list[ContactReceived]:
    return [message for message in said if isinstance(message, ContactReceived)]


async def only(desk: Desk, message: MessageReceived | EmailReceived) -> ContactReceived:
    [contact] = received(await desk.hear(message))
    return contact
