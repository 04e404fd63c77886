"""Is a command that the business refuses answered on the journal, by the running router, for everybody to read?"""

import json
from itertools import pairwise
from uuid import uuid4

from tests.support.system import System
from tests.support.terminal import Terminal, Told, at_terminal


async def test_a_refused_command_is_answered_on_the_journal_and_changes_nothing(system: System) -> None:
    async with at_terminal(system) as person:
        case_id = await person.sent("chat", "The app shows error E42, I cannot log in", "+8613900004242")

        refused = {
            await person.asked("reach_milestone", case_id, "milestone=moon_landing"): "unknown_milestone",
            await person.asked("close", case_id, "reason=I want to go home"): "illegal_state",
            await person.asked("escalate", case_id, "reason=late", "expected_version=99999"): "version_conflict",
        }
        answers = [await _answer(person, asked) for asked in refused]

        assert [answer.data["code"] for answer in answers] == list(refused.values())
        assert {answer.key for answer in answers} == {case_id}
        story = await person.story(case_id, "command_rejected")
        assert [told.data["version"] for told in story] == list(range(1, len(story) + 1))
        for before, told in pairwise(story):
            assert told.kind != "command_rejected" or told.data["state"] == before.data["state"]
        lot = json.loads(await person.cli("parked", "list", "--topic", "case.commands", "--json"))
        assert lot["parked"] == []


async def test_a_command_about_no_case_is_answered_under_the_id_that_was_given(system: System) -> None:
    nowhere = str(uuid4())
    async with at_terminal(system) as person:
        answer = await _answer(person, await person.asked("resolve", nowhere, "resolution=done"))
    assert (answer.key, answer.data["command_type"]) == (nowhere, "caseloop.command.resolve.v1")
    assert answer.data["code"] == "unknown_case"
    assert "version" not in answer.data


async def _answer(person: Terminal, command_id: str) -> Told:
    return await person.heard("command_rejected", lambda told: told.data["command_id"] == command_id)
