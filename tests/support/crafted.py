"""Which records can nobody read, one or more for each reason code?"""

from datetime import datetime, timedelta

from contracts.values import rfc3339
from services.runtime.records import Record
from tests.support.tiny import Header, ended, headers_of, record_of

BAD = ended("bad", 5)
TOO_OLD = timedelta(days=91)
"""Longer than the duplicate guard remembers."""


def crafted(now: datetime) -> dict[str, list[Record]]:
    """Return the records by the reason code that they are parked with; else they are as fresh as ``now``."""

    def headers(**changed: bytes | None) -> list[Header]:
        return headers_of(BAD, **({"ce_time": rfc3339(now).encode()} | changed))

    def bad(value: bytes = BAD.value(), **changed: bytes | None) -> Record:
        return record_of(BAD, value=value, headers=headers(**changed))

    return {
        "malformed_envelope": [
            record_of(BAD, headers=[]),
            bad(ce_id=None),
            record_of(BAD, headers=[*headers(), ("ce_id", None)]),
            bad(ce_source=b"\xff\xfe"),
            bad(content_type=b"text/plain"),
            Record("channel.chat", 0, 0, 0, b"bad", None, tuple(headers())),
            Record("channel.chat", 0, 0, 0, b"\xff\x00", BAD.value(), tuple(headers())),
        ],
        "malformed_json": [
            bad(b"{"),
            bad(b"\xff"),
            bad(b'{"a": 1, "a": 2}'),
            bad(b'{"a": NaN}'),
            bad(b"[" * 1000 + b"]" * 1000),
            bad(b'{"a": ' + b"1" * 400_000 + b"}"),
        ],
        "unknown_type": [bad(ce_type=b"caseloop.channel.nonsense.v1")],
        "unknown_version": [bad(ce_type=b"caseloop.channel.conversation_ended.v2")],
        "invalid_data": [
            bad(b'{"channel": "chat"}'),
            bad(BAD.value().replace(b'"bad"', b'"b\\u0000d"')),
            bad(ce_time=rfc3339(now - TOO_OLD).encode()),
        ],
        "too_large": [bad(b"x" * 1_060_000)],
        "wrong_topic": [
            bad(ce_type=b"caseloop.case.progressed.v1"),
            bad(BAD.value().replace(b'"chat"', b'"sms"')),
        ],
    }
