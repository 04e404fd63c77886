"""Can we still read what was ever sent, and can others still read what we send?"""

import copy
import json
from typing import Any

import orjson
import pytest

from contracts.registry import MESSAGES
from contracts.schemas import schema_of
from tests.support.compatibility import breaks
from tests.support.message_history import recorded

RECORDED = recorded()


def test_every_type_has_history_and_no_history_is_orphaned() -> None:
    assert set(RECORDED) == set(MESSAGES)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_example_is_read_without_loss(name: str) -> None:
    example = RECORDED[name]["example"]
    message = MESSAGES[name].read(orjson.dumps(example))
    assert orjson.loads(message.value()) == example


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_schema_is_compatible_with_its_history(name: str) -> None:
    assert breaks(RECORDED[name]["schema"], schema_of(MESSAGES[name])) is None


def _assigned() -> dict[str, Any]:
    return copy.deepcopy(RECORDED["caseloop.case.assigned.v1"]["schema"])


def test_a_removed_required_field_is_refused() -> None:
    changed = _assigned()
    changed["required"].remove("agent_id")
    del changed["properties"]["agent_id"]
    assert breaks(_assigned(), changed) is not None


def test_a_new_required_field_is_refused() -> None:
    changed = _assigned()
    changed["properties"]["mood"] = {"type": "string"}
    changed["required"].append("mood")
    assert breaks(_assigned(), changed) is not None


def test_a_changed_type_is_refused() -> None:
    changed = _assigned()
    changed["properties"]["agent_number"] = {"type": "integer"}
    assert breaks(_assigned(), changed) is not None


def test_a_new_optional_field_is_fine() -> None:
    changed = _assigned()
    changed["properties"]["mood"] = {"type": "string"}
    assert breaks(_assigned(), changed) is None


def test_unknown_fields_are_ignored_when_read() -> None:
    example = RECORDED["caseloop.command.transfer.v1"]["example"]
    newer = {**example, "mood": "bright", "to": {**example["to"], "building": 3}}
    read = MESSAGES["caseloop.command.transfer.v1"].read(json.dumps(newer).encode())
    assert orjson.loads(read.value()) == example
