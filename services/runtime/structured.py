"""What does a CloudEvent in structured mode hold: its attributes as headers, its data as bytes?"""

from collections.abc import Mapping

from services.runtime import json_text
from services.runtime.refusal import refuse

JSON_TYPE = "application/json"
_HEADERS = {
    **{name: f"ce_{name}" for name in ("specversion", "id", "source", "type", "time", "datacontenttype")},
    "traceparent": "traceparent",
}


def read_json(value: bytes) -> json_text.Json:
    """Return the document, or refuse what is not one unambiguous JSON."""
    try:
        return json_text.read_strictly(value)
    except json_text.JsonTextError as error:
        refuse("malformed_json", str(error))


def unwrap(value: bytes) -> tuple[dict[str, str], bytes]:
    """Return the attributes under the names that binary mode gives them, and the data."""
    event = read_json(value)
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        refuse("malformed_envelope", "a structured event is an object with an object as data")
    attributes = _attributes(event)
    if attributes.pop("ce_datacontenttype", JSON_TYPE).partition(";")[0].strip().lower() != JSON_TYPE:
        refuse("malformed_envelope", f"datacontenttype is not {JSON_TYPE}")
    return attributes, json_text.write(event["data"])


def _attributes(event: Mapping[str, object]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name in sorted(_HEADERS.keys() & event.keys()):
        found = event[name]
        if not isinstance(found, str):
            refuse("malformed_envelope", f"{name} is not a string")
        attributes[_HEADERS[name]] = found
    return attributes
