"""Which facts stand in a message: order number, error code (R6), and the number of a case?"""

import re
from collections.abc import Sequence

from contracts.case_number import parse_case_number

_ERROR = re.compile(
    r"(?:错误(?:代码|码)?|故障码|报错?|error(?: code)?|code)\s*+(?:[:：]\s*+)?([A-Z]{0,5}-?[0-9]{1,6})(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])(E(?:RR)?-?[0-9]{1,5})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_CASE_LIKE = re.compile(r"[A-Za-z][0-9A-Za-z]{5}-[0-9A-Za-z]{5}-[0-9A-Za-z]{2}")


def order_pattern(shapes: Sequence[str]) -> re.Pattern[str]:
    """Return the pattern of order numbers of these shapes: letters as they are, ``9`` any digit."""
    bodies = "|".join(re.escape(shape).replace("9", "[0-9]") for shape in sorted(shapes, key=len, reverse=True))
    return re.compile(f"(?<![0-9A-Za-z#])(?:{bodies})(?![0-9A-Za-z])", re.IGNORECASE)


def facts_of(text: str, orders: re.Pattern[str]) -> dict[str, str]:
    """Return the facts that can be read off a text with certainty."""
    facts = {}
    if order := orders.search(text):
        facts["order_no"] = order[0].upper()
    if error := _ERROR.search(text):
        facts["error_code"] = (error[1] or error[2]).upper()
    return facts


def case_token(*texts: str | None) -> str | None:
    """Return the first case number whose check digits hold (R8)."""
    for text in texts:
        if text and _CASE_LIKE.search(text) and (number := parse_case_number(text)):
            return number
    return None
