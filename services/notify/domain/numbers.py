"""May an SMS or a call go to this number, and what time may it be there?"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers.timezone import time_zones_for_number

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})
_NOWHERE = "Etc/Unknown"


@lru_cache(maxsize=4096)
def refusal(number: str, countries: tuple[str, ...]) -> str | None:
    """Return why neither SMS nor call goes there, or ``None``; what nobody would pay for is refused (toll fraud)."""
    if not _E164.fullmatch(number):
        return "number_malformed"
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "number_malformed"
    if phonenumbers.number_type(parsed) in _COSTLY:
        return "number_costly"
    region = phonenumbers.region_code_for_number(parsed)
    regions = (region,) if region else phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    return None if any(each in countries for each in regions) else "country_not_allowed"


@lru_cache(maxsize=4096)
def time_zones(number: str) -> tuple[str, ...]:
    """Return the zones in which this number may be; several for a large country's mobile number, none if unknown."""
    try:
        zones = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(zone for zone in zones if zone != _NOWHERE)
