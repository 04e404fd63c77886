"""What does a provider's or a gateway's receipt change?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from contracts.channel import DeliveryReported
from contracts.policy import Policy
from services.notify import metrics
from services.notify.domain.notices import UNSAID, Notice, notification
from services.notify.domain.outcomes import News, reported
from services.notify.storage import receipts
from services.notify.storage.receipts import Spoken
from services.runtime.database import Connection
from services.runtime.work import Outgoing, Received, Work


async def receive(work: Work, reports: Sequence[Received], policy: Policy) -> list[Outgoing]:
    """Move the deliveries forward and say what is new; a repeat and a latecomer change nothing."""
    given = [(each.message, each) for each in reports if isinstance(each.message, DeliveryReported)]
    if not given:
        return []
    known = await receipts.find(work.connection, [report for report, _ in given])
    by_id = {each.delivery_id: each for each in known}
    by_ref: dict[tuple[str | None, str | None], Spoken] = {
        (each.provider, each.provider_ref): each for each in known if each.provider_ref is not None
    }
    moved: dict[UUID, Spoken] = {}
    early: list[DeliveryReported] = []
    said: list[Outgoing] = []
    for report, received in given:
        by_us, by_them = report.delivery_id, (report.provider, report.provider_ref)
        spoken = by_ref.get(by_them) if by_us is None else by_id.get(by_us)
        if spoken is None:
            early += _unknown(report)
            continue
        news = _take(spoken, report.status, report.reason, report.provider, report.provider_ref)
        metrics.RECEIPTS.labels(effect="moved" if news else "none").inc()
        if news:
            moved[spoken.delivery_id] = spoken
        said += notices(spoken, news, work.now, policy, received)
    await receipts.move(work.connection, list(moved.values()), work.now)
    await receipts.keep_early(work.connection, early, work.now)
    return said


async def catch_up(
    connection: Connection,
    provider: str,
    sent: Mapping[str, tuple[Spoken, Received]],
    now: datetime,
    policy: Policy,
) -> list[Outgoing]:
    """Take up the receipts that were here before the reference they name was stored; ``sent`` is keyed by it."""
    said: list[Outgoing] = []
    moved: dict[UUID, Spoken] = {}
    for ref, status, reason in await receipts.take_early(connection, provider, list(sent)):
        spoken, cause = sent[ref]
        news = _take(spoken, status, reason)
        if news:
            moved[spoken.delivery_id] = spoken
        said += notices(spoken, news, now, policy, cause)
    await receipts.move(connection, list(moved.values()), now)
    return said


def _take(
    spoken: Spoken,
    status: str,
    reason: str | None,
    provider: str | None = None,
    provider_ref: str | None = None,
) -> tuple[News, ...]:
    """Move the delivery as the receipt says and return what is new about it."""
    spoken.state, news = reported(spoken.state, status)
    if news:
        spoken.reason = reason
        spoken.provider = spoken.provider or provider
        spoken.provider_ref = spoken.provider_ref or provider_ref
    return news


def notices(spoken: Spoken, news: Iterable[News], now: datetime, policy: Policy, cause: Received) -> list[Outgoing]:
    """Return what is said about the delivery of a case."""
    if spoken.case_id is None or spoken.purpose in UNSAID:
        return []
    said: list[Outgoing] = []
    for each in news:
        notice = Notice(
            each, spoken.delivery_id, spoken.case_id, spoken.purpose, spoken.channel, spoken.milestone, spoken.provider,
            spoken.provider_ref, spoken.reason,
        )  # fmt: skip
        said.append(Outgoing(notification(notice, now, policy.ref, cause.cause), notice.message_id, cause))
    return said


def _unknown(report: DeliveryReported) -> list[DeliveryReported]:
    """Notice a receipt of nobody knows what; one that names a provider's reference may only be early."""
    early = report.delivery_id is None
    metrics.RECEIPTS.labels(effect="early" if early else "unknown").inc()
    return [report] if early else []
