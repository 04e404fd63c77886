"""Where is a setting looked up, and what is said about a wrong one?

A field ``kafka_bootstrap`` of the service ``router`` is looked up in this order, first found wins:
``CASELOOP_ROUTER_KAFKA_BOOTSTRAP``, ``CASELOOP_KAFKA_BOOTSTRAP``, then in the TOML file that ``CASELOOP_CONFIG`` names:
table ``[router]``, then top level. Every key of the environment is also read from the file named by the same key with
``_FILE`` behind it, which is where secrets belong. An empty variable counts as not set.

pydantic-settings is not used: it forgets where a value came from, and an operator must be told the key. This module is
the one home of ``os.environ``.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.runtime.errors import WRONG_SETTINGS, StartError
from services.runtime.settings import Settings

PREFIX = "CASELOOP_"
CONFIG_KEY = f"{PREFIX}CONFIG"
ENVIRONMENT: Mapping[str, str] = os.environ

Kind = TypeVar("Kind", bound=Settings)


@dataclass(frozen=True, slots=True)
class _Found:
    """A value, and the key under which an operator can change it."""

    key: str
    value: object


def load(service: str, kind: type[Kind], environment: Mapping[str, str] = ENVIRONMENT) -> Kind:
    """Return the settings of this service; ``StartError`` (status 2) has one line for each wrong value."""
    table = _toml(environment)
    found = {name: at for name in kind.model_fields if (at := _look_up(name, service, environment, table))}
    lines = list(_unknown(service, kind, table))
    try:
        settings = kind.model_validate({name: at.value for name, at in found.items()})
    except ValidationError as wrong:
        lines += [_line(kind, found, error) for error in wrong.errors(include_input=False)]
        raise StartError(*lines, exit_code=WRONG_SETTINGS) from None
    if lines:
        raise StartError(*lines, exit_code=WRONG_SETTINGS)
    return settings


def _toml(environment: Mapping[str, str]) -> Mapping[str, object]:
    path = environment.get(CONFIG_KEY)
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        line = f"{CONFIG_KEY}: cannot read {path}: {reason}; set it to the path of a TOML file, or unset it"
        raise StartError(line, exit_code=WRONG_SETTINGS) from None


def _look_up(
    name: str,
    service: str,
    environment: Mapping[str, str],
    table: Mapping[str, object],
) -> _Found | None:
    for key in (f"{PREFIX}{service}_{name}".upper(), f"{PREFIX}{name}".upper()):
        if environment.get(key):
            return _Found(key, environment[key])
        if path := environment.get(f"{key}_FILE"):
            return _Found(f"{key}_FILE", _content(f"{key}_FILE", path))
    own = table.get(service)
    if isinstance(own, dict) and name in own:
        return _Found(f"{service}.{name} in {environment[CONFIG_KEY]}", own[name])
    if name in table:
        return _Found(f"{name} in {environment[CONFIG_KEY]}", table[name])
    return None


def _content(key: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        line = f"{key}: cannot read {path}: {reason}; set it to the path of a readable file"
        raise StartError(line, exit_code=WRONG_SETTINGS) from None


def _unknown(service: str, kind: type[Settings], table: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for each misspelt key of the file; tables of other services are theirs to judge."""
    own = table.get(service)
    top = [key for key, value in table.items() if not isinstance(value, dict)]
    for key in [*top, *(own if isinstance(own, dict) else ())]:
        if key not in kind.model_fields:
            close = difflib.get_close_matches(key, kind.model_fields, n=1)
            yield f"{key}: no such setting; " + (f"did you mean {close[0]}?" if close else "remove it")


def _line(kind: type[Settings], found: Mapping[str, _Found], error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "value_error" and not name:
        return error["msg"].removeprefix("Value error, ")
    key = found[name].key if name in found else f"{PREFIX}{name}".upper()
    problem = "not set" if error["type"] == "missing" else _problem(error)
    return f"{key}: {problem}; set it to {kind.model_fields[name].description}"


def _problem(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return "the value has the wrong form"
    return error["msg"].removeprefix("Value error, ").replace("Input should", "the value should")
