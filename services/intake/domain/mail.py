"""What does an e-mail say, whatever state its bytes are in (R1, R8)?

``email.policy.default`` parses headers lazily and some broken ones raise when they are looked at; every look therefore
goes through :func:`_header`, which falls back to the plain string. No input makes :func:`read_mail` fail.
"""

import base64
import binascii
import email
import email.policy
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message

from contracts.values import TEXT_MAX
from services.intake.domain.mail_automatic import Reason, automatic_reason
from services.intake.domain.mail_body import body_text
from services.intake.domain.mail_reply import reply_of
from services.intake.domain.normalization import storable

_ID = re.compile(r"<([^<>\s]{1,240})>")
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError)
REFERENCES_MAX = 50
NAME_MAX = 200
ADDRESS_MAX = 320
"""What the standard library is known to raise on broken headers and bodies."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A file inside the mail; it stays there, only its description travels on."""

    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail, read."""

    message_id: str | None
    references: tuple[str, ...]
    """Oldest first, what it answers last."""
    from_address: str | None
    from_name: str | None
    to: str | None
    subject: str | None
    text: str
    """The sender's own words: no quotes, no signature."""
    full_text: str
    """Everything, for tokens that stand in the quoted part."""
    attachments: tuple[Attached, ...]
    automatic: Reason | None
    """Why this is no customer's mail, if it is none."""


def decoded(raw_base64: str) -> bytes:
    """Return the bytes of an e-mail; what is not base64 is taken as the mail itself rather than lost."""
    compact = "".join(raw_base64.split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return raw_base64.encode("utf-8", "replace")


def read_mail(raw: bytes, own_addresses: tuple[str, ...] = ()) -> Mail:
    """Return what these bytes say; broken parts come out empty, never as an error."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    sender_name, sender = _sender(message)
    full = storable(body_text(message))
    subject = _header(message, "subject")
    return Mail(
        message_id=next(iter(_ids(_header(message, "message-id"))), None),
        references=_references(message),
        from_address=sender,
        from_name=sender_name,
        to=_first_address(message, "to"),
        subject=subject[:1000] if subject else None,
        text=reply_of(full)[:TEXT_MAX],
        full_text=full[:TEXT_MAX],
        attachments=tuple(_attachments(message)),
        automatic=automatic_reason(
            lambda name: _header(message, name), _structure(message), sender, full, own_addresses
        ),
    )


def _header(message: Message, name: str) -> str:
    """Return a header as one clean line, the raw text when it cannot be parsed, nothing when it is absent."""
    try:
        value = message.get(name)
    except _BROKEN:
        value = next((text for key, text in message.raw_items() if key.lower() == name), "")
    return storable(" ".join(str(value or "").split()))


def _ids(text: str) -> list[str]:
    return [str(found) for found in _ID.findall(text)]


def _references(message: Message) -> tuple[str, ...]:
    """Return the ids of the mails before this one; In-Reply-To counts as the last."""
    ordered = dict.fromkeys([*_ids(_header(message, "references")), *_ids(_header(message, "in-reply-to"))[:1]])
    known = list(ordered)
    return tuple(known if len(known) <= REFERENCES_MAX else [known[0], *known[-(REFERENCES_MAX - 1) :]])


def _sender(message: Message) -> tuple[str | None, str | None]:
    for header in ("from", "reply-to", "sender"):
        name, address = _address(_header(message, header))
        if address:
            return name, address
    return None, None


def _first_address(message: Message, header: str) -> str | None:
    return _address(_header(message, header))[1]


def _address(text: str) -> tuple[str | None, str | None]:
    try:
        pairs = email.utils.getaddresses([text])
    except _BROKEN:
        pairs = []
    for name, address in pairs:
        clean = address.strip().lower()
        if "@" in clean and " " not in clean and len(clean) <= ADDRESS_MAX:
            return (name.strip()[:NAME_MAX] or None), clean
    return None, None


def _structure(message: Message) -> frozenset[str]:
    """Return the media types of the mail and of its outer parts."""
    return frozenset(part.get_content_type() for part in _parts(message))


def _parts(message: Message) -> Iterator[Message]:
    try:
        yield from message.walk()
    except _BROKEN:
        return


def _attachments(message: Message) -> Iterator[Attached]:
    for part in _parts(message):
        try:
            name = part.get_filename() if isinstance(part, EmailMessage) else None
            content = part.get_payload(decode=True) if name else None
        except _BROKEN:
            continue
        if name:
            size = len(content) if isinstance(content, bytes) else 0
            yield Attached(storable(name)[:NAME_MAX], part.get_content_type()[:NAME_MAX], size)
