"""Which number would a telephone network dial for what somebody wrote?"""

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=4096)
def dialable(written: str, region: str) -> str | None:
    """Return the number in E.164, or ``None`` for what is no valid number; ``region`` is that of one without ``+``.

    Whether policy allows a call there, notify decides, as for SMS: this only keeps out what nobody could dial (F2).
    """
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
