"""How do a template and foreign words become one harmless text?

``{name}`` of a declared variable is replaced, once, in one pass. What is put in is never read again as a template, so
``{{7*7}}``, ``{0.__class__}`` and ``%n`` of a customer arrive as they were typed.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts.policy.messages import VARIABLE

VALUE_CHARACTERS_MAX = 2000
TEXT_CHARACTERS_MAX = 4000
_BREAKS = re.compile("[\r\n\t\v\f\x85\u2028\u2029]+")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
_CLOAKED_HOST = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{1,15}://[^\s/?#@]*)@")
_CLOAKED_LINK = re.compile(r"\[([^\[\]]*)\]\(\s*([^()\s]+)\s*\)")
_LINK = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.)\S+")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its variables replaced; the policy's lint has seen that all are there."""
    return VARIABLE.sub(lambda found: values[found[1]], template).strip()


def neutral(value: str) -> str:
    """Return foreign words with nothing in them that a reader or a mail server could be tricked by.

    Line breaks become spaces; invisible, direction-changing and control characters go; a link says where it leads.
    """
    plain = _BREAKS.sub(" ", value)
    if not plain.isascii() or not plain.isprintable():
        plain = "".join(sign for sign in plain if unicodedata.category(sign) not in _HIDDEN_CATEGORIES)
    plain = _CLOAKED_LINK.sub(r"\1 (\2)", plain)
    return shortened(_CLOAKED_HOST.sub(r"\1 @ ", plain).strip(), VALUE_CHARACTERS_MAX)


def without_links(value: str) -> str:
    """Return words of somebody whose address nobody verified, without links: we could be made to spread them."""
    return _LINK.sub("…", neutral(value))


def shortened(text: str, characters_max: int) -> str:
    """Return the text, cut with an ellipsis where it is too long."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


@lru_cache(maxsize=256)
def spoken(language: str, languages: tuple[str, ...]) -> str:
    """Return the language of the pack for a customer: the very one, one of the same tongue, else the pack's first."""
    wanted = language.lower()
    tongue = wanted.partition("-")[0]
    exact = [known for known in languages if known.lower() == wanted]
    alike = [known for known in languages if known.lower().partition("-")[0] == tongue]
    return (*exact, *alike, *languages)[0]


def moment(at: datetime, time_zone: str) -> str:
    """Return a moment as a customer reads it, with the offset, since they may be elsewhere than we think."""
    local = at.astimezone(ZoneInfo(time_zone))
    offset = local.strftime("%z")
    hours = f"{offset[0]}{int(offset[1:3])}" + (f":{offset[3:5]}" if offset[3:5] != "00" else "")
    return f"{local:%Y-%m-%d %H:%M} (UTC{hours})"


def listed(items: Sequence[str], language: str) -> str:
    """Return the items as one enumeration."""
    return ("、" if language.startswith("zh") else ", ").join(items)


def bracketed(items: Sequence[str], language: str) -> str:
    """Return the items in brackets, to stand behind a word; nothing when there are none."""
    if not items:
        return ""
    return f"（{listed(items, language)}）" if language.startswith("zh") else f" ({listed(items, language)})"
