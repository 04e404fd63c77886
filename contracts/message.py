"""What is a message, which topic carries it and under which key?"""

from hashlib import sha1
from typing import Any, ClassVar, Self
from uuid import UUID, SafeUUID

from contracts.values import Value

NAMESPACE = UUID("6b1f1c1e-6a53-5d0e-9d0c-1f6a5c3d8a11")
"""Root of every derived id of ours."""
_SEED = NAMESPACE.bytes
_VERSION_5 = 0x5 << 76 | 0x8 << 60
_UNKNOWN = SafeUUID.unknown
"""Taken once: to look a member of an enumeration up costs a tenth of an id."""
_FREE = (1 << 128) - 1 & ~(0xF << 76 | 0xC << 60)
"""Version 5 and the variant, and all the bits that are not theirs."""


def derived_id(*parts: object) -> UUID:
    """Return the id that these parts always get, so that a repeat is recognisable.

    It is ``uuid5(NAMESPACE, parts)`` (RFC 9562), written out, and put together as ``UUID.__init__`` does after its
    checks: every message said gets several, and the library's way costs three times as much.
    """
    name = "\x1f".join([str(part) for part in parts])
    digest = sha1(_SEED + name.encode(), usedforsecurity=False).digest()
    made = object.__new__(UUID)
    object.__setattr__(made, "int", int.from_bytes(digest[:16]) & _FREE | _VERSION_5)
    object.__setattr__(made, "is_safe", _UNKNOWN)
    return made


def schema_uri(type_name: str) -> str:
    """Return the ``ce_dataschema`` of a message type; the schema itself is ``contracts/schemas/<type>.json``."""
    return f"urn:caseloop:schema:{type_name}"


class Message(Value):
    """The data of one CloudEvent.

    A subclass names its CloudEvents type with the class keyword ``type`` and inherits ``topic`` and ``key_field``.
    Construction refuses unknown fields; :meth:`read` ignores them, so a newer speaker does not stop an older reader.
    """

    type: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    key_field: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", **kwargs: Any) -> None:  # noqa: A002, ANN401 - a class keyword
        """Give the class its CloudEvents type."""
        super().__init_subclass__(**kwargs)
        if type:
            cls.type = type

    @classmethod
    def read(cls, value: bytes) -> Self:
        """Return the message in these bytes; pydantic's ``ValidationError`` says what is wrong."""
        return cls.model_validate_json(value, extra="ignore")

    def key(self) -> str:
        """Return the record key: what must stay in order stays on one partition."""
        return str(getattr(self, self.key_field))

    def subject(self) -> str | None:
        """Return the case id when the message is about one case (``ce_subject``)."""
        case_id = vars(self).get("case_id")  # a look for an absent attribute costs a model forty times as much
        return None if case_id is None else str(case_id)

    def topic_name(self) -> str:
        """Return the topic, without a deployment's prefix."""
        return self.topic

    def value(self) -> bytes:
        """Return the bytes of the record, absent fields left out."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)
