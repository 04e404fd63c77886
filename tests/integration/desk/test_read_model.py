"""Do desk's tables hold what was said, whatever the batches, and however often it is said?"""

from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest

from contracts import followup, notify, router
from contracts.message import derived_id
from services.desk import queries
from services.desk.domain.board import fold
from services.runtime.database import Pool
from tests.integration.desk.receiving import receive
from tests.support.examples import MOMENT, example
from tests.unit.desk.story import a_case, story, told

REPEATED = [
    pytest.param([[0, 1], [2]], id="once"),
    pytest.param([[0, 1], [2], [0], [1, 0]], id="again later"),
    pytest.param([[0, 1, 2, 0]], id="again in the same batch"),
]
"""Three messages about one thing, numbered as they are said: desk has no inbox, its rows know what is older."""


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_two_stories_in_any_batches_make_two_rows_and_two_timelines(pool: Pool, size: int) -> None:
    said = [event for pair in zip(story("one"), story("two"), strict=True) for event in pair]

    for begin in range(0, len(said), size):
        await receive(pool, said[begin : begin + size])

    async with pool.acquire() as connection:
        for name in ("one", "two"):
            assert await queries.find_cases(connection, str(a_case(name))) == [fold(None, story(name))]
            assert await queries.timeline_of(connection, a_case(name)) == story(name)


async def test_repeats_change_nothing(pool: Pool) -> None:
    events = story("again")
    for some in (events[:5], events[2:], events, events[:3], [events[0], *events]):
        await receive(pool, some)

    async with pool.acquire() as connection:
        assert await queries.find_cases(connection, str(a_case("again"))) == [fold(None, events)]
        assert await queries.timeline_of(connection, a_case("again")) == events


async def test_a_hole_is_counted_and_what_comes_late_still_stands_in_the_timeline(pool: Pool) -> None:
    events = story("hole")
    await receive(pool, [events[0], *events[2:]])
    await receive(pool, [events[1]])

    async with pool.acquire() as connection:
        (board,) = await queries.find_cases(connection, str(a_case("hole")))
        timeline = await queries.timeline_of(connection, a_case("hole"))
    assert (board.missing, board.state) == (1, "closed")
    assert timeline == events


async def test_an_event_that_tells_nothing_else_moves_version_state_time_and_holes(pool: Pool) -> None:
    opened, case_id = story("moved")[0], a_case("moved")
    told = {"case_id": case_id, "version": 3, "state": "waiting_customer", "occurred_at": MOMENT + timedelta(hours=1)}
    restated = cast("router.CaseEvent", example(router.CaseProblemRestated).model_copy(update=told))
    await receive(pool, [opened])
    await receive(pool, [restated])

    async with pool.acquire() as connection:
        (board,) = await queries.find_cases(connection, str(case_id))
    assert board == fold(None, [opened, restated])
    assert (board.version, board.missing, board.state) == (3, 1, "waiting_customer")


async def test_a_case_is_found_by_its_number(pool: Pool) -> None:
    await receive(pool, story("number"))

    async with pool.acquire() as connection:
        (board,) = await queries.find_cases(connection, str(a_case("number")))
        assert await queries.find_cases(connection, board.case_number.lower()) == [board]
        assert await queries.find_cases(connection, "no number") == []


def _clock(kind: type[followup.ClockMessage], minutes: int, **fields: object) -> followup.ClockMessage:
    at = MOMENT + timedelta(minutes=minutes)
    told = {"case_id": a_case("clock"), "occurred_at": at, "promise_id": None, **fields}
    return cast("followup.ClockMessage", example(kind).model_copy(update=told))


@pytest.mark.parametrize("batches", REPEATED)
async def test_a_clock_keeps_the_moment_at_which_it_would_have_run_out(pool: Pool, batches: list[list[int]]) -> None:
    due = MOMENT + timedelta(hours=24)
    said = [
        _clock(followup.ClockStarted, 0, due_at=due),
        _clock(followup.ClockWarning, 1, percent=50, due_at=due),
        _clock(followup.ClockMet, 2, due_at=None),
    ]
    for batch in batches:
        await receive(pool, [said[each] for each in batch])

    async with pool.acquire() as connection:
        (clock,) = await queries.clocks_of(connection, a_case("clock"))
    assert (clock["state"], clock["percent"], clock["due_at"]) == ("met", 50, due)


@pytest.mark.parametrize("batches", REPEATED)
async def test_a_message_has_its_last_state(pool: Pool, batches: list[list[int]]) -> None:
    case_id = a_case("message")

    def said(kind: type[notify.Notification], minutes: int) -> notify.Notification:
        at = MOMENT + timedelta(minutes=minutes)
        return cast("notify.Notification", example(kind).model_copy(update={"case_id": case_id, "occurred_at": at}))

    kinds = (notify.NotificationRequested, notify.NotificationSent, notify.NotificationDelivered)
    for batch in batches:
        await receive(pool, [said(kinds[each], each) for each in batch])

    async with pool.acquire() as connection:
        (delivery,) = await queries.deliveries_of(connection, case_id)
    assert delivery["state"] == "delivered"


async def test_a_refusal_of_a_case_that_never_was_leaves_nothing(pool: Pool) -> None:
    nowhere: UUID = derived_id("never was")
    refused = example(router.CommandRejected)
    await receive(pool, [refused.model_copy(update={"case_id": nowhere, "version": None})])

    async with pool.acquire() as connection:
        assert await queries.find_cases(connection, str(nowhere)) == []
        assert await queries.timeline_of(connection, nowhere) == []


async def test_pages_of_a_table_neither_lose_nor_repeat_a_row(pool: Pool) -> None:
    for number in range(7):
        await receive(pool, story(f"page {number}"))

    demands = [row async for page in queries.demands(pool, {}, "en", page=3) for row in page]
    process = [row async for page in queries.process(pool, page=3) for row in page]
    follow_ups = [row async for page in queries.followups(pool, "en", page=3) for row in page]
    assert len({row[0] for row in demands}) == len(demands) == 7
    assert len({row[1] for row in process}) == len(process) == 7
    assert len({(row[2], row[5]) for row in follow_ups}) == len(follow_ups) == 14


async def test_table_3_names_the_channel_by_which_the_survey_went_out_not_that_of_the_first_contact(pool: Pool) -> None:
    case_id, (*before, answered) = a_case("survey by e-mail"), story("survey by e-mail")
    asked = told(router.SurveySent, case_id, 9, survey_id=answered.survey_id, channel="email")
    other = told(router.SurveySent, case_id, 10, survey_id=derived_id("another survey"), channel="chat")
    answered = answered.model_copy(update={"version": 11, "via": "message"})
    await receive(pool, [*before, asked, other, answered])

    rows = [row async for page in queries.followups(pool, "en") for row in page]
    assert [row[4] for row in rows] == ["phone", "e-mail"]
