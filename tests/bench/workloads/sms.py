"""W10: is all that a provider grants used, and does every customer get each SMS exactly once?

notify as a process, told by the journal of so many cases at once; the provider double as another, which takes a hundred
messages a second, 50 ms away, refuses one call in a hundred and leaves one in two hundred without an answer. Afterwards
the provider's own log is compared with notify's tables.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from contracts.case_number import case_number
from contracts.message import derived_id
from contracts.router import MilestoneReached
from services.runtime.clock import SystemClock
from services.runtime.frames import Frame
from services.runtime.outbox import framed
from services.runtime.tracing import UNTRACED
from services.runtime.work import Outgoing
from tests.bench.alone import Alone, alone
from tests.bench.workload import Ground, Measured, NoResultError
from tests.integration.notify.stand import SECRET, Provider, a_provider
from tests.support.floor import until
from tests.support.system import AWAKE
from tests.unit.notify.story import PHONE, a, opened

PER_SECOND = 100.0
AT_ONCE = 10.0
"""The double grants a tenth of a second's worth at once."""
TROUBLE = {"per_second": PER_SECOND, "delay_seconds": 0.05, "refused_share": 0.01, "hanging_share": 0.005}
FIRST_SHARE = 0.975
"""Of the messages: by their time the pace is judged. The provider has put off the others by itself, the last of them by
the seconds in which an answer was waited for, and then there is nothing left to fill its limit with."""
TAIL_SECONDS = 60.0
DONE = "SELECT count(*) FROM deliveries WHERE state IN ('sent', 'delivered')"


async def run(ground: Ground) -> Measured:
    """Measure as often as is wanted."""
    measured = Measured()
    messages = ground.size(10_000, 1_500)
    for _ in range(ground.runs):
        async with (
            a_provider(ground.scratch) as provider,
            alone(
                ground, "notify", CASELOOP_POLICY=AWAKE[1], CASELOOP_NOTIFY_SMS_URL=provider.url,
                CASELOOP_NOTIFY_PROVIDER_SECRET=SECRET,
            ) as notify,
        ):  # fmt: skip
            await provider.behave(**TROUBLE, receipts_url=f"{notify.process.http}/providers/sms/receipts")
            await _measure(notify, provider, messages, measured)
    measured.details |= {"messages": messages, "provider": TROUBLE}
    return measured


async def _measure(notify: Alone, provider: Provider, messages: int, measured: Measured) -> None:
    await notify.tell(_journal(messages))

    async def over() -> bool:
        return bool(await notify.pool.fetchval(DONE) == messages)

    try:
        await until(over, messages / PER_SECOND * 1.5 + TAIL_SECONDS)
    except TimeoutError:
        rows = await notify.pool.fetch("SELECT state, count(*) FROM deliveries GROUP BY 1")
        states = {row["state"]: row["count"] for row in rows}
        raise NoResultError(f"not all of {messages} messages came to an end: {states}") from None
    accepted = await provider.accepted()
    moments = sorted(datetime.fromisoformat(each["accepted_at"]).timestamp() for each in accepted)
    judged = int(FIRST_SHARE * messages)
    seconds = moments[judged - 1] - moments[0]
    measured.add("W10_sms_per_second", judged / seconds, PER_SECOND)
    measured.add("W10_limit_used_percent", 100 * judged / (seconds * PER_SECOND + AT_ONCE))
    measured.add("W10_seconds_to_the_last", moments[-1] - moments[0])
    await _compare(notify, provider, {each["client_reference"] for each in accepted}, measured)


async def _compare(notify: Alone, provider: Provider, accepted: set[str], measured: Measured) -> None:
    rows = await notify.pool.fetch("SELECT delivery_id::text, state, sends FROM deliveries")
    live = (await provider.http.get("/health/live")).json()
    said = {row["delivery_id"] for row in rows if row["state"] in {"sent", "delivered"}}
    measured.add("W10_lost", len(said - accepted) + len({row["delivery_id"] for row in rows} - accepted - said))
    measured.add("W10_doubled", live["repeated"] + len(accepted - said))
    measured.add("W10_unresolved", sum(row["state"] == "unknown" for row in rows))
    measured.add("W10_offers_per_message", sum(row["sends"] for row in rows) / len(rows))


def _journal(messages: int) -> Iterator[Frame]:
    """Yield the opening of so many cases, and a milestone of each that its customer hears of by SMS."""
    at = SystemClock().now()
    for number in range(messages):
        case_id = derived_id("bench", "sms", number)
        named = {"case_id": case_id, "case_number": case_number(case_id), "occurred_at": at}
        reached = a(MilestoneReached, version=2, state="assigned", milestone="refund_issued", details={}, **named)
        for event in (opened("phone", PHONE).model_copy(update=named), reached):
            said = Outgoing(event, derived_id(case_id, "version", event.version))
            yield framed("tests/bench", said, datetime.now(UTC), UNTRACED)
