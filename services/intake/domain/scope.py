"""Which conversation is meant: the gateway's id, within its channel (R8)?

Gateways number their conversations each for itself, so the same id on another channel is somebody else's conversation.
"""

from typing import NewType

ConversationKey = NewType("ConversationKey", str)
"""The channel and the gateway's id as one; inside intake, ``conversation_id`` is always this, on the wire never."""
FAMILIES = {"phone": "telephone", "sms": "telephone"}
"""Channels that are one to the customer: who called is written to by SMS. The others are families of their own."""


def scoped(channel: str, conversation_id: str) -> ConversationKey:
    """Return the key of a conversation; no channel's name holds a colon, so no two conversations share one."""
    return ConversationKey(f"{channel}:{conversation_id}")


def channel_of(key: ConversationKey) -> str:
    """Return the channel of a conversation."""
    return key.partition(":")[0]


def family_of(channel: str) -> str:
    """Return the family of a channel."""
    return FAMILIES.get(channel, channel)


def gateway_id(key: ConversationKey) -> str:
    """Return the id that the gateway gave, as every message carries it."""
    return key.partition(":")[2]
