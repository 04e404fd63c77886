"""How does a policy file become a Policy, and how is a mistake in it told?"""

import re
import tomllib
from pathlib import Path

from pydantic import ValidationError

from contracts.policy.pack import Policy


class PolicyError(ValueError):
    """The file cannot be used; the text says file, line, key and what is wrong, on one line."""


def load_policy(path: Path) -> Policy:
    """Return the pack in this TOML file.

    Raises :class:`PolicyError` with line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path}: cannot be read as a UTF-8 text file ({error}); give the path of a policy pack"
        raise PolicyError(problem) from error
    return parse_policy(text, str(path))


def parse_policy(text: str, origin: str) -> Policy:
    """Return the pack in this TOML text; ``origin`` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"{origin}: not valid TOML: {error}"
        raise PolicyError(problem) from error
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise PolicyError(_told(error, text, origin)) from error


def _told(error: ValidationError, text: str, origin: str) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{origin}:{_line_of(path, text)}: {'.'.join(path) or 'the pack'}: {first['msg']}{more}"


def _line_of(path: list[str], text: str) -> int:
    """Return the line that most likely holds this key: its table's header, then the key below it; 1 when absent."""
    best, table, depth = 1, [""], 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?", line)
        key = re.match(r"\s*([\w.\-\"]+)\s*=", line)
        if header:
            table = [part.strip('" ') for part in header[1].split(".")]
            here = table
        elif key:
            here = [*(part for part in table if part), *(part.strip('"') for part in key[1].split("."))]
        else:
            continue
        names = [part for part in path if not part.isdigit()]
        common = len(here) if names[: len(here)] == here else 0
        if common > depth:
            best, depth = number, common
    return best
