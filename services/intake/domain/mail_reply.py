"""Which part of a mail's text are the sender's own words now: without quotes and signature, in English and Chinese?"""

import re

_HEADER_WORDS = (
    "from|to|cc|sent|date|subject|reply-to|发件人|收件人|抄送|发送时间|发送日期|日期|时间|主题|寄件者|收件者|副本|主旨|寄件日期|"
    "von|an|gesendet|betreff|de|à|envoyé|objet|para|enviado|assunto|da|a|inviato|oggetto|fra|til"
    "|sendt|emne|от|кому|тема"
)
_ATTRIBUTION = re.compile(
    r"(?:on\b.{4,200}\bwrote|le\b.{4,200}\bécrit|am\b.{4,200}\bschrieb|el\b.{4,200}\bescribió|em\b.{4,200}\bescreveu"
    r"|il\b.{4,200}\bscritto|op\b.{4,200}\bschreef|den\b.{4,200}\bskrev|pe\b.{4,200}\bscris"
    r"|[^\n]{1,120}[<(][^<>()\s]{1,120}@[^<>()\s]{1,120}[>)][^\n]{0,40}(?:wrote|写道|寫道|写到)"
    r"|在?.{4,120}(?:写道|寫道|写到)|\d{4}[-/年.]\d{1,2}[-/月.]\d{1,2}.{1,120}[<(].{1,80}@.{1,80}[>)].{0,20}"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.{1,120}[<(].{1,80}@.{1,80}[>)].{0,20})"
    r"\s*[:：]?\s*$",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"^[\s>]*(?:[-_=*]{2,}\s*(?:original message|forwarded message|begin forwarded|reply message|原始邮件"
    r"|原始郵件|原邮件|转发的邮件|转发邮件"
    r"|回复的邮件|ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale"
    r"|исходное сообщение|opprinnelig melding)"
    r".{0,40}|_{10,}|-{10,}|begin forwarded message:|reply above this line.{0,60}"
    r"|#{2,}.{0,80}reply above.{0,80})\s*$",
    re.IGNORECASE,
)
_HEADER = re.compile(rf"^[\s>*]*(?:{_HEADER_WORDS})\s?\*?\s?[:：]\*?\s?\S", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"^(?:--\s?|__+|—+|sent from (?:my|mobile|outlook|yahoo|mail|samsung|a |an ).{0,60}"
    r"|get outlook for.{0,40}|发自我的.{0,30}|來自我的.{0,30}|从我的.{0,20}发送"
    r"|envoyé de mon.{0,40}|von meinem .{0,40}gesendet.{0,20}|sent via .{0,40})\s*$",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^(?:(?:best|kind|warm|warmest) (?:regards|wishes)|regards|sincerely(?: yours)?"
    r"|yours (?:sincerely|faithfully|truly)|cheers"
    r"|此致|敬礼|顺颂商祺|祝好|商祺)[,，.!！]?\s*$",
    re.IGNORECASE,
)
HEADERS_MIN = 2
"""So many header lines together are a quoted mail; one alone may be the sender's own words."""
CLOSING_LINES_MAX = 8
LINES_MAX = 4_000
ATTRIBUTION_MAX = 400
"""No attribution is longer; keeps the pattern quick."""


def reply_of(text: str) -> str:
    """Return the sender's own words; the whole text when nothing else would be left (a forwarded or inline answer)."""
    lines = [line.rstrip()[:2_000] for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:LINES_MAX]]
    own = _unsigned(_unquoted(lines))
    words = "\n".join(own).strip()
    return words or "\n".join(line for line in lines if line.strip()).strip()


def _unquoted(lines: list[str]) -> list[str]:
    """Return the lines before the quoted mail; when own words stand between quoted lines, all of those."""
    kept: list[str] = []
    said = inline = False
    skipped_to = 0
    for index, line in enumerate(lines):
        if index < skipped_to:
            continue
        if _starts_quote(lines, index) and (inline or said):
            if not inline and not _answers_inline(lines, index):
                break
            inline = True
        attribution = _attribution_lines(lines, index) if line.strip() else 0
        skipped_to = index + attribution
        if not attribution and not line.lstrip().startswith(">"):
            kept.append(line)
            said = said or bool(line.strip())
    return kept


def _starts_quote(lines: list[str], index: int) -> bool:
    line = lines[index]
    if not line.strip():
        return False
    if _SEPARATOR.match(line) or _attribution_lines(lines, index):
        return True
    return _HEADER.match(line) is not None and _header_lines(lines, index) >= HEADERS_MIN


def _attribution_lines(lines: list[str], index: int) -> int:
    """Return over how many lines an "On ... wrote:" goes that begins here (mail programs break it), 0 for none."""
    joined = ""
    for count, line in enumerate(lines[index : index + 3], start=1):
        joined = f"{joined} {line.strip()}".strip()
        if not line.strip() or len(joined) > ATTRIBUTION_MAX:
            return 0
        if _ATTRIBUTION.match(joined):
            return count
    return 0


def _header_lines(lines: list[str], index: int) -> int:
    return sum(1 for line in lines[index : index + 6] if _HEADER.match(line))


def _answers_inline(lines: list[str], index: int) -> bool:
    """Tell whether own words go on between the quoted lines that follow."""
    first = _attribution_lines(lines, index)
    if not first:
        return False
    rest = [line for line in lines[index + first :] if line.strip()]
    quoted = [line.lstrip().startswith(">") for line in rest]
    if True not in quoted:
        return False
    after = rest[quoted.index(True) :]
    own = [line for line in _unsigned(after) if not line.lstrip().startswith(">")]
    return any(line.strip() and not _starts_quote([line], 0) for line in own)


def _unsigned(lines: list[str]) -> list[str]:
    said = left = sum(1 for line in lines if line.strip())
    for index, line in enumerate(lines):
        bare = line.strip()
        if index and _SIGNATURE.match(bare) and left < said:
            return lines[:index]
        if index and left <= CLOSING_LINES_MAX and _CLOSING.match(bare):
            return lines[:index]
        left -= bool(bare)
    return lines
