"""How is written down and said what became of leased deliveries, many in one transaction?"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from contracts.message import derived_id
from contracts.notify import OutboundMessageRequested
from contracts.policy import Policy
from services.notify.domain.delivery import GATEWAY
from services.notify.domain.notices import UNSAID, Notice, notification
from services.notify.domain.outcomes import Outcome, Step, after
from services.notify.handlers.receipts import catch_up
from services.notify.settings import NotifySettings
from services.notify.storage import leases, receipts
from services.notify.storage.leases import Lease
from services.notify.storage.receipts import Spoken
from services.runtime.database import Connection
from services.runtime.work import TIMERS_TOPIC, Outgoing, Received, TimerFired


async def record(
    batch: Sequence[tuple[Lease, Outcome]],
    settings: NotifySettings,
    policy: Policy,
    connection: Connection,
    now: datetime,
) -> list[Outgoing]:
    """Store the outcomes whose lease is still ours and return what is to be said about them."""
    provider = settings.sms_provider
    steps = [(lease, after(lease.attempt, outcome, now, settings.sms_limits)) for lease, outcome in batch]
    if any(step.provider_ref is not None for _, step in steps):
        await receipts.recording(connection)
    mine = await leases.record(connection, steps, provider, now)
    said: list[Outgoing] = []
    sent: dict[str, tuple[Spoken, Received]] = {}
    for lease, step in steps:
        if lease.delivery_id not in mine:
            continue
        cause = _cause(lease, now)
        said += _handed_over(lease, step, cause)
        said += _told(lease, step, provider, cause, now, policy)
        if step.provider_ref is not None:
            spoken = Spoken(
                lease.delivery_id, lease.case_id, lease.purpose, lease.milestone, lease.channel, step.state, provider,
                step.provider_ref,
            )  # fmt: skip
            sent[step.provider_ref] = (spoken, cause)
    return said + await catch_up(connection, provider, sent, now, policy)


def request_of(lease: Lease) -> OutboundMessageRequested | None:
    """Return the deferred message for a gateway; nothing for a provider's, or when another hand left none there."""
    if lease.request is None:
        return None
    try:
        return OutboundMessageRequested.model_validate(lease.request, strict=False)
    except ValidationError:
        return None


def _handed_over(lease: Lease, step: Step, cause: Received) -> list[Outgoing]:
    """Return a deferred message for a gateway whose time has come."""
    request = request_of(lease) if step.news == "sent" else None
    if request is None:
        return []
    return [Outgoing(request, derived_id(lease.delivery_id, "outbound"), cause)]


def _told(
    lease: Lease,
    step: Step,
    provider: str,
    cause: Received,
    now: datetime,
    policy: Policy,
) -> list[Outgoing]:
    if step.news is None or lease.case_id is None or lease.purpose in UNSAID:
        return []
    notice = Notice(
        said=step.news,
        delivery_id=lease.delivery_id,
        case_id=lease.case_id,
        purpose=lease.purpose,
        channel=lease.channel,
        milestone=lease.milestone,
        provider=provider if lease.channel == "sms" else GATEWAY,
        provider_ref=step.provider_ref,
        reason=step.reason,
        until=step.due_at,
    )
    return [Outgoing(notification(notice, now, policy.ref, cause.cause), notice.message_id, cause)]


def _cause(lease: Lease, now: datetime) -> Received:
    """Return what led to this delivery, so that its trace and its cause go on; a lease is a message to oneself."""
    return Received(
        message=TimerFired("delivery", str(lease.delivery_id), {}, now, lease.delivery_id, lease.attempts),
        message_id=derived_id(lease.delivery_id, lease.attempts),
        ce_id=lease.cause_id,
        source="",
        type=lease.cause_type,
        time=now,
        traceparent=lease.traceparent,
        topic=TIMERS_TOPIC,
        partition=-1,
        offset=lease.attempts,
        key=str(lease.delivery_id),
    )
