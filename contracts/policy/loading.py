"""How does a policy file become a Policy, and how is a mistake in it told?"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.policy.pack import Policy


class PolicyError(ValueError):
    """The file cannot be used; the text says file, line, key and what is wrong, on one line."""


def load_policy(path: Path) -> Policy:
    """Return the pack in this TOML file.

    ``extends = "other.toml"`` (a file beside it) takes that pack and lays this one over it: tables are merged key by
    key, everything else is replaced. Raises :class:`PolicyError` with file, line and key.
    """
    layers = list(_layers(path))
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _laid_over(merged, layer.data)
    try:
        return Policy.model_validate(merged)
    except ValidationError as error:
        raise PolicyError(_told(error, layers)) from error


@dataclass(frozen=True, slots=True)
class _Layer:
    origin: str
    text: str
    data: dict[str, Any]


def _layers(path: Path, seen: tuple[Path, ...] = ()) -> Iterator[_Layer]:
    """Yield the file's layers, the deepest base first."""
    if path.resolve() in seen:
        raise PolicyError(f"{path}: extends itself through {' -> '.join(step.name for step in seen)}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read as UTF-8 text ({error}); give the path of a policy pack") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: not valid TOML: {error}") from error
    base = data.pop("extends", None)
    if base is not None:
        yield from _layers(path.parent / str(base), (*seen, path.resolve()))
    yield _Layer(str(path), text, data)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _told(error: ValidationError, layers: list[_Layer]) -> str:
    """Return one line: file, line of the deepest known part of the first wrong key, the key, and what is wrong."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    found = [(*_line_of(path, layer.text), layer.origin) for layer in reversed(layers)]
    _, line, origin = max(found, key=lambda place: place[0])  # of equals the first: the uppermost layer
    return f"{origin}:{line}: {'.'.join(path) or 'the pack'}: {first['msg']}{more}"


def _line_of(path: list[str], text: str) -> tuple[int, int]:
    """Return how many parts of this key a line of the text holds, and the number of the first line that holds most."""
    names = [part for part in path if not part.isdigit()]
    best, depth, table = 1, 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?", line)
        key = re.match(r"\s*([\w.\-\"]+)\s*=", line)
        if header:
            table = here = [part.strip('" ') for part in header[1].split(".")]
        elif key:
            here = [*table, *(part.strip('"') for part in key[1].split("."))]
        else:
            continue
        if names[: len(here)] == here and len(here) > depth:
            best, depth = number, len(here)
    return depth, best
