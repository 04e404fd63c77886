"""By which channel and at which address does a customer hear from us?"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts.values import Channel, Contact, Customer, Party
from services.notify.domain import numbers


@dataclass(frozen=True, slots=True)
class Recipient:
    """A customer as seen from one conversation."""

    channel: Channel
    conversation_id: str
    language: str
    parties: tuple[Party, ...] = ()
    live: bool = True
    """A chat that has ended reaches nobody."""
    time_zone: str | None = None
    in_reply_to: str | None = None
    """E-mail: the Message-ID to answer."""
    subject: str | None = None
    token: str | None = None
    """E-mail: what stands in brackets in the subject, so that an answer finds its way back."""

    def first(self, kind: str) -> Party | None:
        """Return the first identifier of this kind."""
        return next((party for party in self.parties if party.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the customer."""

    channel: Channel
    to: Party
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no way, or none that policy allows."""

    channel: Channel
    reason: str


def recipient_of(contact: Contact, customer: Customer, token: str | None = None) -> Recipient:
    """Return whom an answer to this contact goes to."""
    return Recipient(
        channel=contact.channel,
        conversation_id=contact.conversation_id,
        language=customer.language,
        parties=customer.parties,
        time_zone=customer.time_zone,
        in_reply_to=contact.in_reply_to,
        subject=contact.subject,
        token=token or contact.reply_token,
    )


def route(recipient: Recipient, first: Channel, countries: tuple[str, ...]) -> Route | Unreachable:
    """Return the way by the channel wished for, else by the conversation, SMS or e-mail."""
    reason = "no_address"
    for channel in _ways(recipient, first):
        match channel:
            case "phone" | "sms":
                way = _by_sms(recipient, countries)
                if isinstance(way, Unreachable):
                    reason = way.reason if way.reason != "no_address" else reason
                    continue
                return way
            case "email":
                address = recipient.first("email")
                if address is not None:
                    return Route("email", address, _conversation(recipient, "email"))
            case _:
                if recipient.channel == channel:
                    return Route(channel, _participant(recipient), recipient.conversation_id)
    return Unreachable("sms" if first == "phone" else first, reason)


def script(recipient: Recipient) -> Route:
    """Return the way to the screen of the agent on the phone."""
    return Route("phone", recipient.first("phone") or _participant(recipient), recipient.conversation_id)


def zones_of(recipient: Recipient, fallback: str) -> tuple[str, ...]:
    """Return the zones a customer may be in: the one stated, if it exists, else their number's, else the policy's."""
    if recipient.time_zone is not None and _is_time_zone(recipient.time_zone):
        return (recipient.time_zone,)
    number = recipient.first("phone")
    return (numbers.time_zones(number.value) if number else ()) or (fallback,)


@lru_cache(maxsize=1024)
def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return False
    return True


def _ways(recipient: Recipient, first: Channel) -> Iterator[Channel]:
    """Yield the channels to try; an ended chat comes last: its gateway may show the words when the customer is back."""
    ended = recipient.channel == "chat" and not recipient.live
    if not (ended and first == "chat"):
        yield first
    if not ended:
        yield recipient.channel
    yield from ("sms", "email", recipient.channel)


def _by_sms(recipient: Recipient, countries: tuple[str, ...]) -> Route | Unreachable:
    number = recipient.first("phone")
    if number is None:
        return Unreachable("sms", "no_address")
    refused = numbers.refusal(number.value, countries)
    if refused is not None:
        return Unreachable("sms", refused)
    return Route("sms", number, _conversation(recipient, "sms"))


def _conversation(recipient: Recipient, channel: Channel) -> str | None:
    return recipient.conversation_id if recipient.channel == channel else None


def _participant(recipient: Recipient) -> Party:
    """Return whom the gateway shows it to; on a conversation of a nameless visitor that is whoever is in it."""
    known = recipient.first("social") or (recipient.parties[0] if recipient.parties else None)
    return known or _visitor(recipient.conversation_id)


@lru_cache(maxsize=1024)
def _visitor(conversation_id: str) -> Party:
    return Party(kind="social", value=conversation_id)
