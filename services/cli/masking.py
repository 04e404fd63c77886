"""What of a parked record may be shown without showing anybody's personal data?

Only what its contract declares and does not mark as personal: everything else a sender may have put anywhere. Bytes
that are no JSON, and types that nobody knows, are told by their size alone.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from contracts.registry import MESSAGES
from contracts.schemas import schema_of

MASK = "…"
"""Stands for a text that is not shown."""
ATTRIBUTES = frozenset({
    "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "content-type",
    "traceparent", "tracestate",
})  # fmt: skip
"""Headers that never hold a customer's words."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FORMATS = {
    "date-time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?"),
}
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
}  # fmt: skip
Schema = Mapping[str, Any]


def masked(value: bytes | None, type_name: str | None) -> str | None:
    """Return a record's value as text in which whatever may be personal is ``MASK``."""
    if value is None:
        return None
    message = MESSAGES.get(type_name or "")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        message = None
    if message is None:
        return f"{len(value)} bytes, not shown: nobody knows what is personal in them"
    schema = schema_of(message)
    return orjson.dumps(_shown(document, schema, schema.get("$defs", {}))).decode()


def _shown(node: Any, part: Schema, named: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - any JSON
    part = _resolved(part, node, named)
    if isinstance(node, dict):
        return {
            name if _is_declared(name, part) else MASK: _shown(each, _member(name, part), named)
            for name, each in node.items()
        }
    if isinstance(node, list):
        return [_shown(each, part.get("items", {}), named) for each in node]
    return node if not part.get("x-personal") and _fits(node, part) else MASK


def _resolved(part: Schema, node: Any, named: Mapping[str, Schema]) -> Schema:  # noqa: ANN401 - any JSON
    """Follow references, and of several choices take the one that this value is an example of."""
    while "$ref" in part:
        part = named[part["$ref"].rpartition("/")[2]]
    choices = [_resolved(each, node, named) for each in part.get("anyOf", part.get("oneOf", ()))]
    if not choices:
        return part
    return next((each for each in choices if _kind(node) == each.get("type")), {})


def _kind(node: Any) -> str:  # noqa: ANN401 - any JSON
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return kinds.get(type(node), "null")


def _is_declared(name: str, part: Schema) -> bool:
    return name in part.get("properties", {}) or (
        isinstance(part.get("additionalProperties"), dict) and _NAME.fullmatch(name) is not None
    )


def _member(name: str, part: Schema) -> Schema:
    found: Schema = part.get("properties", {}).get(name, part.get("additionalProperties"))
    return found if isinstance(found, dict) else {}


def _fits(node: Any, part: Schema) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether this is what the contract says stands here, and not something that was put into the wrong place."""
    if "const" in part or "enum" in part:
        return node == part.get("const") or node in part.get("enum", ())
    kind = part.get("type")
    if kind == "string" and isinstance(node, str):
        return _is_text_of(node, part)
    return isinstance(kind, str) and kind in _TYPES and isinstance(node, _TYPES[kind])


def _is_text_of(node: str, part: Schema) -> bool:
    if part.get("format") == "uuid":
        try:
            return str(UUID(node)) == node.lower()
        except ValueError:
            return False
    pattern = _FORMATS.get(part.get("format", ""))
    if pattern is not None:
        return pattern.fullmatch(node) is not None
    return "pattern" not in part or re.search(part["pattern"], node) is not None
