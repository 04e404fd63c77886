"""Did the provider say this, and just now? Standard Webhooks: HMAC-SHA256 over ``id.timestamp.payload``.

The library of the standard reads the clock itself and allows no other tolerance; here time is an argument. The local
provider double signs with the library, so the tests hold the one against the other.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

TOLERANCE_SECONDS = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURES_MAX = 10
"""More are not looked at: a caller must not choose how long we calculate."""


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """Return the keys in a setting; two while a secret is being replaced."""
    return tuple(base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets.split())


def is_genuine(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: datetime) -> bool:
    """Tell whether one of the keys signed this body within the tolerance; compares in constant time."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    found = False
    for given in headers.get("webhook-signature", "").split()[:SIGNATURES_MAX]:
        version, _, signature = given.partition(",")
        matches = [hmac.compare_digest(signature.encode(), each) for each in expected]
        found |= version == "v1" and any(matches)
    return found
