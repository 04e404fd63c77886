"""What does the AsyncAPI 3.0 document of all topics say?"""

from typing import Any

from contracts.message import Message
from contracts.registry import MESSAGES, topics_of
from contracts.topics import TOPICS, Topic

_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {
            "type": "string",
            "description": "with ce_source the identity of the event: a repeat changes nothing",
        },
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "the case id, when the message is about one case"},
        "ce_dataschema": {"type": "string"},
        "traceparent": {"type": "string"},
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def asyncapi(version: str) -> dict[str, Any]:
    """Return the document; ``version`` is the product's.

    Our services are the application: it receives on the topics that outsiders write and sends on the others.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "caseloop",
            "version": version,
            "description": "Topics and messages of caseloop: CloudEvents 1.0 in Kafka binary mode.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS.values()},
        "operations": {_operation_id(topic): _operation(topic) for topic in TOPICS.values()},
        "components": {
            "schemas": {"CloudEventsHeaders": _HEADERS},
            "messages": {name: _message(MESSAGES[name]) for name in sorted(MESSAGES)},
        },
    }


def _channel_id(topic: Topic) -> str:
    return topic.name.replace(".", "_")


def _operation_id(topic: Topic) -> str:
    return f"{'receive' if topic.public_door else 'send'}_{_channel_id(topic)}"


def _carried(topic: Topic) -> list[str]:
    return [name for name in sorted(MESSAGES) if topic.name in topics_of(MESSAGES[name])]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.purpose}; keyed by {topic.key}; written by {topic.written_by}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _carried(topic)},
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": "0.5.0"}},
    }


def _operation(topic: Topic) -> dict[str, Any]:
    channel = _channel_id(topic)
    return {
        "action": "receive" if topic.public_door else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in _carried(topic)],
    }


def _message(message: type[Message]) -> dict[str, Any]:
    summary = (message.__doc__ or "").strip().splitlines()[0]
    return {
        "name": message.type,
        "title": message.__name__,
        "summary": summary,
        "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
        "payload": {"$ref": f"./schemas/{message.type}.json"},
    }
