"""What becomes of an intention: handed over, queued, deferred, suppressed or dropped?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from contracts.notify import OutboundMessageRequested
from contracts.policy import Policy
from contracts.policy.messages import MessagesPolicy, PurposeRule
from contracts.values import CaseState, Channel
from services.notify.domain.intention import Intention
from services.notify.domain.quiet_hours import release_at
from services.notify.domain.recipients import Recipient, Route, Unreachable, route, script, zones_of
from services.notify.domain.wording import TEXT_CHARACTERS_MAX, fill, shortened, without_links

State = Literal["queued", "sending", "unknown", "sent", "delivered", "failed", "suppressed", "dropped"]
GATEWAY = "gateway"
"""The provider of all channels but SMS: whoever reads ``channel.outbound``."""
_SUBJECT_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way, or the reason why there is none."""

    delivery_id: UUID
    case_id: UUID | None
    purpose: str
    template: str
    milestone: str | None
    channel: Channel
    recipient: str
    text: str
    state: State
    expires_at: datetime
    due_at: datetime | None = None
    reason: str | None = None
    kept_in: frozenset[CaseState] | None = None
    request: OutboundMessageRequested | None = None
    """What goes to the gateway; absent for SMS."""


def delivery_of(intention: Intention, state: CaseState | None, now: datetime, policy: Policy) -> Delivery | None:
    """Return what is to be done about an intention as things stand; ``None`` when policy keeps silent here.

    ``state`` is the latest known state of its case: what that has made pointless is dropped (peers: obsolete messages).
    """
    rule = policy.messages.purposes[intention.purpose]
    if rule.via == "none":
        return None
    expires_at = intention.occurred_at + timedelta(seconds=rule.expires_seconds)
    pointless = _pointless(intention, state, expires_at <= now)
    if pointless is not None:
        return _undone(intention, _channel(intention.recipient), "dropped", pointless, expires_at)
    way = _way(intention, rule, policy.messages)
    if isinstance(way, Unreachable):
        return _undone(intention, way.channel, "suppressed", way.reason, expires_at)
    release = _release(intention, rule, way, now, policy.messages)
    return _due(intention, way, now, release, max(expires_at, release + timedelta(hours=1)), policy)


def _pointless(intention: Intention, state: CaseState | None, late: bool) -> str | None:
    if intention.kept_in is not None and state is not None and state not in intention.kept_in:
        return f"case_{state}"
    return "expired" if late else None


def _undone(
    intention: Intention,
    channel: Channel,
    state: Literal["dropped", "suppressed"],
    reason: str,
    expires_at: datetime,
) -> Delivery:
    return Delivery(
        delivery_id=intention.delivery_id,
        case_id=intention.case_id,
        purpose=intention.purpose,
        template=intention.template,
        milestone=intention.milestone,
        channel=channel,
        recipient="",
        text="",
        state=state,
        reason=reason,
        expires_at=expires_at,
    )


def _channel(recipient: Recipient) -> Channel:
    return "sms" if recipient.channel == "phone" else recipient.channel


def _way(intention: Intention, rule: PurposeRule, policy: MessagesPolicy) -> Route | Unreachable:
    if intention.script:
        return script(intention.recipient)
    first = intention.by or ("sms" if rule.via == "sms" else intention.recipient.channel)
    return route(intention.recipient, first, policy.sms_countries)


def _release(intention: Intention, rule: PurposeRule, way: Route, now: datetime, policy: MessagesPolicy) -> datetime:
    """Return when it may go out; quiet hours defer, never drop."""
    exempt = rule.quiet == "send" or (rule.quiet == "send_if_urgent" and intention.urgent)
    if exempt or policy.quiet_hours is None or way.channel not in policy.quiet_channels:
        return now
    return release_at(now, zones_of(intention.recipient, policy.time_zone), policy.quiet_hours)


def _due(
    intention: Intention,
    way: Route,
    now: datetime,
    release: datetime,
    expires_at: datetime,
    policy: Policy,
) -> Delivery:
    text = _text(intention, way.channel, policy)
    by_sms = way.channel == "sms"
    at_once = not by_sms and release <= now
    return Delivery(
        delivery_id=intention.delivery_id,
        case_id=intention.case_id,
        purpose=intention.purpose,
        template=intention.template,
        milestone=intention.milestone,
        channel=way.channel,
        recipient=way.to.value,
        text=text,
        state="sent" if at_once else "queued",
        due_at=None if at_once else release,
        reason="quiet_hours" if release > now else None,
        expires_at=expires_at,
        kept_in=intention.kept_in,
        request=None if by_sms else _request(intention, way, text, expires_at, policy),
    )


def _text(intention: Intention, channel: Channel, policy: Policy) -> str:
    messages = policy.messages
    texts = messages.milestones[intention.template] if intention.milestone else messages.wording.of(intention.template)
    text = fill(texts[intention.language], intention.values)
    if intention.upset:
        text = f"{fill(messages.wording.calming[intention.language], intention.values)} {text}"
    return shortened(text, messages.sms_characters_max if channel == "sms" else TEXT_CHARACTERS_MAX)


def _request(
    intention: Intention,
    way: Route,
    text: str,
    expires_at: datetime,
    policy: Policy,
) -> OutboundMessageRequested:
    mail = way.channel == "email"
    return OutboundMessageRequested(
        delivery_id=intention.delivery_id,
        channel=way.channel,
        conversation_id=way.conversation_id,
        to=way.to,
        language=intention.language,
        text=text,
        template=intention.template,
        purpose=intention.purpose,
        case_id=intention.case_id,
        choices=intention.choices or None,
        expires_at=expires_at,
        subject_line=_subject(intention, policy) if mail else None,
        in_reply_to=intention.recipient.in_reply_to if mail and way.conversation_id is not None else None,
    )


def _subject(intention: Intention, policy: Policy) -> str:
    """Return the subject of an e-mail: the token that brings an answer back, then the customer's own words."""
    token = f"[{intention.recipient.token}] " if intention.recipient.token else ""
    own = without_links((intention.recipient.subject or "").removeprefix(token))
    if own:
        return token + shortened(own if own.lower().startswith("re:") else f"Re: {own}", _SUBJECT_CHARACTERS_MAX)
    return token + fill(policy.messages.wording.mail_subject[intention.language], {"company": policy.company})
