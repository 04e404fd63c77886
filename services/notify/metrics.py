"""What can be measured of messages to customers?"""

from prometheus_client import Counter, Histogram

from services.runtime.metrics import REGISTRY

_CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

MESSAGES = Counter(
    "caseloop_notify_messages",
    "Messages by channel and first state",
    ["channel", "state"],
    registry=REGISTRY,
)
CALLS_REFUSED = Counter(
    "caseloop_notify_calls_refused",
    "Calls that were due and not placed, by why their number is not dialled",
    ["reason"],
    registry=REGISTRY,
)
SMS_CALLS = Counter("caseloop_notify_sms_calls", "Calls to the SMS provider by outcome", ["outcome"], registry=REGISTRY)
SMS_SECONDS = Histogram(
    "caseloop_notify_sms_seconds",
    "Time of a call to the provider",
    buckets=_CALL,
    registry=REGISTRY,
)
RECEIPTS = Counter("caseloop_notify_receipts", "Receipts by what they changed", ["effect"], registry=REGISTRY)
UNKNOWN_CASES = Counter(
    "caseloop_notify_unknown_cases",
    "Case events whose case's beginning was never seen",
    registry=REGISTRY,
)
