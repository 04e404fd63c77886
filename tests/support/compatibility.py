"""Does a changed schema still understand, and is it still understood by, what was agreed before?"""

import json
from typing import Any

import jsoncompat


def breaks(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return why ``new`` may not replace ``old``, or ``None``.

    Two directions: the new reader must accept every message of the old writer, and the old reader, which ignores fields
    it does not know, must accept every message of the new writer.
    """
    old, new = ({key: part for key, part in schema.items() if key != "$id"} for schema in (old, new))
    if not jsoncompat.check_compat(json.dumps(old), json.dumps(new), role="deserializer"):
        return "the new schema refuses messages that were sent before"
    if not jsoncompat.check_compat(json.dumps(_opened(old)), json.dumps(_opened(new)), role="serializer"):
        return "readers of the old schema refuse messages that the new one allows"
    return None


def _opened(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(schema, dict):
        closed = schema.get("additionalProperties") is False
        return {key: _opened(value) for key, value in schema.items() if not (closed and key == "additionalProperties")}
    return [_opened(item) for item in schema] if isinstance(schema, list) else schema
