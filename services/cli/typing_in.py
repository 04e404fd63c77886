"""How do ``key=value`` words become the fields of a command, typed by the contract?

A value is taken as a text where the contract wants a text, a time, an id or a word of a list, and as JSON elsewhere.
``a.b=value`` fills a field of a field; a list of plain words may be written with commas; a time may be ``+2h``.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ValidationError

from contracts.message import Message
from contracts.values import rfc3339
from services.cli.failures import bad_input

_FROM_NOW = re.compile(r"\+(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ITS_OWN = frozenset({"case_id", "by"})
"""Fields of every command that have options of their own."""

Kind = TypeVar("Kind", bound=Message)


def command_fields(kind: type[BaseModel]) -> list[str]:
    """Return the fields that may be given as ``key=value``."""
    return [name for name in kind.model_fields if name not in _ITS_OWN]


def typed(kind: type[Message], words: Sequence[str], now: datetime) -> dict[str, Any]:
    """Return the data that these words describe; ``CommandError`` (status 2) names the word and the field."""
    data: dict[str, Any] = {}
    for number, word in enumerate(words, start=1):
        path, equals, raw = word.partition("=")
        if not equals:
            raise bad_input(
                f"argument {number}: {word!r} is not key=value; fields are {', '.join(command_fields(kind))}"
            )
        names = path.split(".")
        _put(data, names, _value(_annotation(kind, names, number), raw, path, number, now))
    return data


def read(kind: type[Kind], data: Mapping[str, Any], origin: str) -> Kind:
    """Return the message in this data; ``CommandError`` (status 2) says where, which field and what is wrong."""
    try:
        return kind.model_validate_json(orjson.dumps(data))
    except ValidationError as wrong:
        raise bad_input(f"{origin}: {told(wrong)}") from None


def told(wrong: ValidationError) -> str:
    """Return field and problem of the first thing that is wrong, and how many more there are."""
    first = wrong.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    more = f" (and {wrong.error_count() - 1} more)" if wrong.error_count() > 1 else ""
    return f"field {field}: {problem}{more}" if field else f"{problem}{more}"


def _put(data: dict[str, Any], names: Sequence[str], value: Any) -> None:  # noqa: ANN401 - any JSON
    for name in names[:-1]:
        data = data.setdefault(name, {})
    data[names[-1]] = value


def _annotation(kind: type[BaseModel], names: Sequence[str], number: int) -> Any:  # noqa: ANN401 - a type
    """Return what the contract says about a field, or about a field of a field."""
    here: Any = kind
    for depth, name in enumerate(names):
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or key: field.annotation for key, field in here.model_fields.items()}
            if name not in fields or (depth == 0 and name in _ITS_OWN):
                known = command_fields(kind) if depth == 0 else list(fields)
                raise bad_input(f"argument {number}: no field {'.'.join(names)}; fields are {', '.join(known)}")
            here = _bare(fields[name])
        elif get_origin(here) is dict:
            here = _bare(get_args(here)[1])
        else:
            raise bad_input(f"argument {number}: {'.'.join(names[:depth])} has no fields of its own")
    return here


def _bare(annotation: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type without what may be absent and without its bounds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _bare(next(part for part in get_args(annotation) if part is not NoneType))
    return annotation


def _value(annotation: Any, raw: str, path: str, number: int, now: datetime) -> Any:  # noqa: ANN401 - any JSON
    if annotation in (datetime, AwareDatetime):
        return _time(raw, now)
    if annotation in (str, UUID) or (get_origin(annotation) is Literal and isinstance(get_args(annotation)[0], str)):
        return raw
    if _is_list_of_words(annotation) and not raw.lstrip().startswith("["):
        return [part.strip() for part in raw.split(",") if part.strip()]
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_input(f"argument {number}: field {path}: {raw!r} is not JSON; {_wanted(annotation)}") from None


def _is_list_of_words(annotation: Any) -> bool:  # noqa: ANN401 - a type
    return get_origin(annotation) is tuple and _bare(get_args(annotation)[0]) is str


def _time(raw: str, now: datetime) -> str:
    found = _FROM_NOW.fullmatch(raw)
    return rfc3339(now + length_of(found[1], found[2])) if found else raw


def length_of(number: str, unit: str) -> timedelta:
    """Return a length of time that was written as a number and one of s, m, h and d."""
    return timedelta(**{_UNITS[unit]: int(number)})


def _wanted(annotation: Any) -> str:  # noqa: ANN401 - a type
    if annotation is bool:
        return "write true or false"
    if annotation is int:
        return "write a whole number"
    if get_origin(annotation) is tuple:
        return """write a list such as '["a", "b"]'"""
    return """write an object such as '{"what": "..."}', or its fields as field.what=..."""
