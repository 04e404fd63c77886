"""How do people say a case's number, and how is one recognised in text?"""

import re
from uuid import UUID

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U to mishear or misread."""
_BITS = 50
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
_NUMBER = re.compile(r"(?<![0-9A-Za-z])([A-Z])([0-9A-Z]{5})-([0-9A-Z]{5})-([0-9A-Z]{2})(?![0-9A-Za-z])", re.IGNORECASE)


def case_number(case_id: UUID) -> str:
    """Return the short, speakable number, such as ``C4F7QX-92MKD-7K``: 50 bits of its id and two check digits.

    It is derived, so every service can name a case and verify a number without asking. 50 bits keep two of ten million
    cases apart with a chance above 95 %; look-ups by number therefore may return several.
    """
    return _number("C", case_id)


def tracking_no(case_id: UUID) -> str:
    """Return the number of the case's process record, Table 2 (S6)."""
    return _number("T", case_id)


def follow_up_no(follow_up_id: UUID) -> str:
    """Return the number of a follow-up record, Table 3 (F7)."""
    return _number("F", follow_up_id)


def work_order_no(work_order_id: UUID) -> str:
    """Return the number of a work order (A5)."""
    return _number("W", work_order_id)


def parse_case_number(text: str) -> str | None:
    """Return the first valid case number in a text, spelt canonically, or ``None``; typing errors do not pass."""
    for found in _NUMBER.finditer(text):
        prefix, *groups, check = found.groups()
        digits = "".join(groups).upper().translate(_MISREAD)
        value = _value(digits)
        if prefix.upper() == "C" and value is not None and _check(value) == check.upper().translate(_MISREAD):
            return f"C{digits[:5]}-{digits[5:]}-{_check(value)}"
    return None


def _number(prefix: str, identity: UUID) -> str:
    value = identity.int >> (128 - _BITS)
    digits = "".join(ALPHABET[(value >> shift) & 31] for shift in range(_BITS - 5, -1, -5))
    return f"{prefix}{digits[:5]}-{digits[5:]}-{_check(value)}"


def _check(value: int) -> str:
    """Return two digits modulo the prime 1021: every single wrong digit and every swap of neighbours is found."""
    remainder = value % 1021
    return ALPHABET[remainder >> 5] + ALPHABET[remainder & 31]


def _value(digits: str) -> int | None:
    value = 0
    for digit in digits:
        index = ALPHABET.find(digit)
        if index < 0:
            return None
        value = value * 32 + index
    return value
