"""What do the JSON Schemas of all messages look like?"""

from typing import Any

from contracts.message import Message, schema_uri
from contracts.registry import MESSAGES

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(message: type[Message]) -> dict[str, Any]:
    """Return the closed JSON Schema of what is written; readers ignore unknown fields all the same.

    Strings that may hold personal data carry ``x-personal: true``.
    """
    body = message.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": DRAFT, "$id": schema_uri(message.type), **body}


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return type name to schema, sorted."""
    return {name: schema_of(MESSAGES[name]) for name in sorted(MESSAGES)}
