"""Which text does an e-mail hold, when it may be HTML, wrongly declared or cut off?"""

import re
from collections.abc import Iterator
from email.message import Message
from html.parser import HTMLParser

_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError)
_CHARSETS = ("utf-8", "gb18030", "big5", "shift_jis", "latin-1")
_BREAKS = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "hr", "section", "title"}
)
_SILENT = frozenset({"script", "style", "head", "title", "template"})
_QUOTES = frozenset({"blockquote"})
BODY_MAX = 200_000
PARTS_MAX = 200
DEPTH_MAX = 20


def body_text(message: Message) -> str:
    """Return the plain text of the mail; of HTML the text alone, with quotations marked by ``>``."""
    plain, html = [], []
    for part in _own_parts(message):
        kind = part.get_content_type()
        if kind == "text/plain":
            plain.append(_decoded(part))
        elif kind == "text/html":
            html.append(_decoded(part))
    text = "\n".join(plain)
    return text if text.strip() else html_text("\n".join(html))


def html_text(html: str) -> str:
    """Return the text of an HTML page or fragment, line breaks where the eye sees them."""
    reader = _Reader()
    try:
        reader.feed(html[:BODY_MAX])
        reader.close()
    except _BROKEN:
        pass
    return reader.text()


def _own_parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """Return the parts that are the mail's own text: no attachments, no mails inside the mail."""
    payload: object = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(payload, list) and depth < DEPTH_MAX:
        for part in payload[:PARTS_MAX]:
            if isinstance(part, Message) and part.get_content_type() != "message/rfc822":
                yield from _own_parts(part, depth + 1)
    elif not _is_file(message):
        yield message


def _is_file(part: Message) -> bool:
    try:
        return part.get_content_disposition() == "attachment"
    except _BROKEN:
        return False


def _decoded(part: Message) -> str:
    try:
        content = part.get_payload(decode=True)
    except _BROKEN:
        content = None
    if not isinstance(content, bytes):
        payload = part.get_payload()
        return payload[:BODY_MAX] if isinstance(payload, str) else ""
    return _text(content[:BODY_MAX], _charset(part))


def _charset(part: Message) -> str:
    try:
        return part.get_content_charset() or ""
    except _BROKEN:
        return ""


def _text(content: bytes, declared: str) -> str:
    """Return the text in the declared charset, else in the first of the usual ones that fits."""
    for charset in (declared, *_CHARSETS):
        try:
            return content.decode(charset)
        except _BROKEN:
            continue
    return content.decode("utf-8", "replace")


class _Reader(HTMLParser):
    """Collects visible text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._silent = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base class says so
        if tag in _SILENT:
            self._silent += 1
        if tag in _QUOTES:
            self._quoted += 1
        if tag in _BREAKS | _QUOTES:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in _QUOTES:
            self._quoted = max(0, self._quoted - 1)
        if tag in _BREAKS | _QUOTES:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._pieces.append(re.sub(r"[ \t\r\n\xa0]+", " ", data))

    def _break(self) -> None:
        self._pieces.append("\n> " if self._quoted else "\n")

    def text(self) -> str:
        """Return what was collected, without runs of empty lines."""
        lines = [line.strip() for line in "".join(self._pieces).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in lines if line != ">")).strip()
