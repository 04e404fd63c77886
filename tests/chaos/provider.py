"""Rows 4, 48 and 49: what when notify dies in a call, or the SMS provider hangs, refuses and breaks down?"""

from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.history import History, Verdict

QUICK = {
    "CASELOOP_NOTIFY_SMS_TIMEOUT_SECONDS": "2",
    "CASELOOP_NOTIFY_SMS_LEASE_SECONDS": "5",
    "CASELOOP_NOTIFY_SMS_LOOKUP_SECONDS": "1",
    "CASELOOP_NOTIFY_SMS_RETRY_SECONDS_FIRST": "0.5",
    "CASELOOP_NOTIFY_SMS_RETRY_SECONDS_MAX": "2",
    "CASELOOP_NOTIFY_SMS_SENDS_MAX": "30",
}
"""Shorter than in earnest: a run is."""


def _count_unknown(rig: Rig) -> None:
    def check(history: History, verdict: Verdict) -> None:
        del verdict
        kinds = [record.kind for record in history.on("notifications")]
        rig.figures["unknown"] = kinds.count("caseloop.notification.unknown.v1")
        rig.figures["sms_accepted"] = len(history.accepted)

    rig.must(check)


@row("4", "notify is killed between the provider's call and its record; the provider answers slowly", environment=QUICK)
async def notify_dies_in_a_call(rig: Rig) -> None:
    _count_unknown(rig)
    await rig.provider(delay_seconds=0.3)
    for _ in range(2):
        await rig.wait(rig.between(1.0, 2.0))
        await rig.kill("notify")
    await rig.provider()


@row("48", "the SMS provider takes messages and never answers", environment=QUICK)
async def provider_hangs(rig: Rig) -> None:
    _count_unknown(rig)
    await rig.provider(accept_then_hang=True)
    await rig.wait(rig.between(4.0, 6.0))
    await rig.provider()


@row("49", "the SMS provider says 429 with Retry-After, then 503, then 500, then is back", environment=QUICK)
async def provider_storms(rig: Rig) -> None:
    _count_unknown(rig)
    for behaviour in ({"fail_status": 429, "retry_after_seconds": 1}, {"fail_status": 503}, {"fail_status": 500}):
        await rig.provider(**behaviour)
        await rig.wait(rig.between(2.0, 4.0))
    await rig.provider(duplicate_receipts=True)
