"""Does this text mean one thing only to every JSON reader?

The wire models are read by a fast parser that takes the last of two equal names and accepts NaN. Where outsiders
write, a text that two readers may understand differently is refused instead.
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

Json = dict[str, Any] | list[Any] | str | int | float | bool | None


class JsonTextError(ValueError):
    """The text is not JSON, or not one unambiguous JSON; the message never quotes it."""


def read_strictly(value: bytes) -> Json:
    """Return the document; refuses bad UTF-8, repeated names, NaN, endless numbers and bottomless nesting.

    A text that a strict and quick parser and writer give back byte for byte holds nothing of that: a name that stands
    twice would come back once. That is how most programs write, and it takes a third of the time.
    """
    try:
        quick: Json = orjson.loads(value)
        if orjson.dumps(quick) == value:
            return quick
    except (ValueError, TypeError):  # the writer says TypeError when the nesting is too deep for it
        pass
    return _read_slowly(value)


def _read_slowly(value: bytes) -> Json:
    try:
        document: Json = _DECODER.decode(value.decode())
    except UnicodeDecodeError as error:
        raise JsonTextError("not UTF-8") from error
    except RecursionError as error:
        raise JsonTextError("nested too deeply") from error
    except json.JSONDecodeError as error:
        problem = f"not JSON at line {error.lineno} column {error.colno}"
        raise JsonTextError(problem) from error
    except JsonTextError:
        raise
    except ValueError as error:
        raise JsonTextError("a number has too many digits") from error
    return document


def write(document: Json) -> bytes:
    """Return the document as bytes that a strict parser judges again (lone surrogates stay escapes)."""
    return json.dumps(document).encode()


def nul_pointer(document: object, pointer: str = "") -> str | None:
    """Return the JSON pointer of the first string with a NUL character, which PostgreSQL cannot hold."""
    if isinstance(document, str):
        return pointer if "\0" in document else None
    members: Iterable[tuple[object, object]] = ()
    if isinstance(document, dict):
        if any("\0" in name for name in document):
            return f"{pointer}/*"
        members = document.items()
    elif isinstance(document, list):
        members = enumerate(document)
    return next(filter(None, (nul_pointer(member, f"{pointer}/{name}") for name, member in members)), None)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonTextError("a name stands twice in one object")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise JsonTextError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
"""Made once: ``json.loads`` with hooks makes one for every text."""
