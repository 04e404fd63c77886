"""How is a new message version recorded? ``python -m tests.support.message_history`` adds what is missing."""

import json
from pathlib import Path
from typing import Any

import orjson

import contracts
from contracts.registry import MESSAGES
from contracts.schemas import schema_of
from tests.support.examples import example

HISTORY = Path(contracts.__file__).parent / "history"


def recorded() -> dict[str, dict[str, Any]]:
    """Return type name to ``{"example": ..., "schema": ...}`` of everything ever recorded."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(HISTORY.glob("*.json"))}


def main() -> None:
    """Record the types that have no history yet."""
    for name in sorted(set(MESSAGES) - set(recorded())):
        entry = {"example": orjson.loads(example(MESSAGES[name]).value()), "schema": schema_of(MESSAGES[name])}
        text = json.dumps(entry, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        (HISTORY / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
