"""Is a receipt believed only when the provider signed it, just now?"""

from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from services.notify.channels.signature import is_genuine, keys_of
from tests.unit.notify.story import NOW

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"  # noqa: S105 - guards this test only
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
BODY = b'{"provider_ref":"1"}'


def headers(secret: str = SECRET, body: bytes = BODY, late_seconds: int = 0) -> dict[str, str]:
    at = NOW - timedelta(seconds=late_seconds)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


def test_what_the_standards_library_signs_is_believed() -> None:
    assert is_genuine(headers(), BODY, keys_of(SECRET), NOW)


def test_two_secrets_stand_side_by_side_while_one_is_replaced() -> None:
    both = keys_of(f"{OTHER} {SECRET}")
    assert is_genuine(headers(SECRET), BODY, both, NOW)
    assert is_genuine(headers(OTHER), BODY, both, NOW)
    signed_twice = headers() | {
        "webhook-signature": headers(OTHER)["webhook-signature"] + " " + headers()["webhook-signature"],
    }
    assert is_genuine(signed_twice, BODY, keys_of(SECRET), NOW)


@pytest.mark.parametrize(
    "forged",
    [
        headers(OTHER),
        headers(body=b'{"provider_ref":"2"}'),
        headers(late_seconds=301),
        headers(late_seconds=-301),
        headers() | {"webhook-id": "msg_2"},
        headers() | {"webhook-timestamp": "nan"},
        headers() | {"webhook-timestamp": ""},
        headers() | {"webhook-signature": headers()["webhook-signature"][:-1]},
        headers() | {"webhook-signature": headers()["webhook-signature"].replace("v1,", "v1a,")},
        headers() | {"webhook-signature": headers()["webhook-signature"].replace("v1,", "")},
        headers() | {"webhook-signature": "v1,\u00e9"},
        {"webhook-id": "msg_1"},
        {},
    ],
)
def test_whatever_is_not_quite_right_is_not_believed(forged: dict[str, str]) -> None:
    assert not is_genuine(forged, BODY, keys_of(SECRET), NOW)


def test_without_a_secret_nothing_is_believed() -> None:
    assert not is_genuine(headers(), BODY, (), NOW)
