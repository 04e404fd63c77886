"""In which language is a customer answered?"""

import re
from collections.abc import Sequence

_HAN = re.compile(r"[一-鿿]")
_KANA_OR_HANGUL = re.compile(r"[぀-ヿ가-힯]")
_LATIN = re.compile(r"[A-Za-z]")
HAN_WEIGHT = 3
"""One character of Chinese says as much as so many Latin letters."""


def language_of(text: str, shipped: Sequence[str], known: str | None) -> str:
    """Return the shipped language of a text, else the one known so far, else the pack's first."""
    if _KANA_OR_HANGUL.search(text):
        return known or shipped[0]
    han, latin = len(_HAN.findall(text)) * HAN_WEIGHT, len(_LATIN.findall(text))
    if han + latin < HAN_WEIGHT:
        return known or shipped[0]
    prefix = "zh" if han >= latin else "en"
    return next((language for language in shipped if language.lower().startswith(prefix)), known or shipped[0])
