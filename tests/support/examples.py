"""What is a complete, plausible example of any message? Every optional field filled, always the same values."""

from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from contracts.message import Message, derived_id

MOMENT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

_BY_NAME: dict[str, Any] = {
    "language": "zh-CN",
    "languages": ("zh-CN", "en"),
    "time_zone": "Asia/Shanghai",
    "phone": "+8613800005678",
    "conversation_id": "chat-2026-11-02-0001",
    "agent_id": "a-17",
    "agent_number": "1017",
    "agent_name": "Li Wei",
    "case_number": "C4F7QX-92MKD-7K",
    "category": "product_fault",
    "department": "technical_support",
    "text": "登录后页面白屏",
    "hash": "ab" * 32,
    "previous_hash": "0" * 64,
    "start": "22:00",
    "end": "08:00",
    "code": "illegal_state",
    "amount": "12.50",
    "currency": "CNY",
    "raw_base64": "RnJvbTogYUBleGFtcGxlLm9yZw==",
    "url": "https://files.example/1.png",
    "media_type": "image/png",
    "milestone": "refund_issued",
    "clock": "resolution",
    "purpose": "requested",
}


def example(message: type[Message]) -> Message:
    """Return an instance of this message with every field filled."""
    return message.model_validate(_fields(message))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _field(name, field) for name, field in model.model_fields.items()}


def _field(name: str, field: FieldInfo) -> Any:  # noqa: ANN401 - any value a field may have
    choices = _choices(field.annotation)
    if choices:
        named = _BY_NAME.get(name)
        return named if named in choices else choices[0]
    if name in _BY_NAME and field.annotation is not int:
        return _BY_NAME[name]
    return _value(name, field.annotation, _lower(field))


def _lower(field: FieldInfo) -> int:
    return next((int(rule.ge) for rule in field.metadata if hasattr(rule, "ge") and rule.ge is not None), 1)


def _choices(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return next((_choices(part) for part in get_args(annotation) if part is not NoneType), ())
    return ()


def _value(name: str, annotation: Any, lower: int = 1) -> Any:  # noqa: ANN401, C901, PLR0911 - one line per kind of type
    origin = get_origin(annotation)
    if origin is Annotated:
        return _value(name, get_args(annotation)[0], lower)
    if origin in (Union, UnionType):
        return _value(name, next(part for part in get_args(annotation) if part is not NoneType), lower)
    if origin is Literal:
        return get_args(annotation)[0]
    if origin is tuple:
        return (_value(name, get_args(annotation)[0], lower),)
    if origin is dict:
        return {"order_no": _value(name, get_args(annotation)[1])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _fields(annotation)
    if annotation is AwareDatetime:
        return MOMENT
    return {UUID: derived_id("example", name), datetime: MOMENT, bool: True, int: max(lower, 1), str: name}[annotation]
