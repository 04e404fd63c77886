"""Do words become fields as the contract types them, and is a wrong word named?"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from contracts.desk import Command
from services.cli.command import COMMANDS, actor
from services.cli.failures import BAD_INPUT, CommandError
from services.cli.typing_in import read, typed
from tests.support.examples import MOMENT, example

CASE = {"case_id": "6b1f1c1e-6a53-5d0e-9d0c-1f6a5c3d8a11", "by": {"kind": "agent", "id": "a-1"}}


def _command(name: str, *words: str) -> Command:
    kind = COMMANDS[name]
    return read(kind, {**typed(kind, words, MOMENT), **CASE}, f"command {name}")


@pytest.mark.parametrize(
    ("name", "words", "field", "value"),
    [
        ("resolve", ["resolution=true"], "resolution", "true"),
        ("resolve", ["resolution=a=b"], "resolution", "a=b"),
        ("confirm_resolution", ["solved=false"], "solved", False),
        ("record_facts", ['facts={"what": "white page"}'], "facts", {"what": "white page"}),
        (
            "record_facts",
            ["facts.what=white page", "facts.order_no=42"],
            "facts",
            {"what": "white page", "order_no": "42"},
        ),
        ("request_information", ["fields=order_no, error_code"], "fields", ("order_no", "error_code")),
        ("request_information", ['fields=["order_no"]'], "fields", ("order_no",)),
        (
            "make_promise",
            ["what=call", f"promise_id={CASE['case_id']}", "due_at=+2h"],
            "due_at",
            MOMENT + timedelta(hours=2),
        ),
        ("correct_classification", ["severity=urgent", "reason=outage"], "severity", "urgent"),
        ("reopen", ["reason=again", "expected_version=7"], "expected_version", 7),
    ],
)
def test_words_become_fields(name: str, words: Sequence[str], field: str, value: object) -> None:
    assert getattr(_command(name, *words), field) == value


def test_a_field_of_a_field_is_typed_too() -> None:
    moved = _command("transfer", "to.department=operations", "to.skills.billing=3", "customer_agreed=true", "reason=r")

    assert moved.model_dump()["to"] == {"department": "operations", "agent_id": None, "skills": {"billing": 3}}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_typed(name: str) -> None:
    message = example(COMMANDS[name])
    data = message.model_dump(mode="json", exclude_none=True)
    words = [f"{key}={_typed(value)}" for key, value in data.items() if key not in CASE]

    assert _command(name, *words).model_dump(exclude=set(CASE)) == message.model_dump(exclude=set(CASE))


def _typed(value: Any) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else orjson.dumps(value).decode()


@pytest.mark.parametrize(
    ("name", "words", "problem"),
    [
        ("resolve", ["resolution"], "argument 1: 'resolution' is not key=value"),
        ("resolve", ["resolution=x", "colour=red"], "argument 2: no field colour; fields are"),
        ("resolve", ["case_id=x"], "argument 1: no field case_id"),
        ("confirm_resolution", ["solved=maybe"], "field solved: 'maybe' is not JSON; write true or false"),
        (
            "confirm_resolution",
            ["solved=3"],
            "command confirm_resolution: field solved: Input should be a valid boolean",
        ),
        ("make_promise", ["what=x", "due_at=tomorrow"], "field"),
        ("transfer", ["to.colour=red"], "no field to.colour; fields are department"),
        ("resolve", ["resolution.x=1"], "resolution has no fields of its own"),
        ("resolve", [], "command resolve: field resolution: Field required"),
    ],
)
def test_a_wrong_word_is_named(name: str, words: Sequence[str], problem: str) -> None:
    with pytest.raises(CommandError) as failure:
        _command(name, *words)

    assert problem in str(failure.value)
    assert failure.value.exit_code == BAD_INPUT
    assert "\n" not in str(failure.value)


def test_who_asks_is_kind_and_id() -> None:
    assert actor("agent:a-17").id == "a-17"
    with pytest.raises(CommandError, match="kind:id"):
        actor("boss")
