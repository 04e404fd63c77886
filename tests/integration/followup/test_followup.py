"""Does what followup keeps survive batches, repeats, races and restarts, and does every timer fire once?"""

import asyncio
from datetime import timedelta

from contracts.followup import ClockBroken
from contracts.intake import ContactStarted
from contracts.message import Message, derived_id
from contracts.policy import Policy
from contracts.router import (
    CaseClosed,
    CaseMerged,
    CaseOpened,
    CaseProblemRestated,
    CaseResolved,
    CommandRejected,
    CustomerNotified,
)
from services.followup.handlers import handler_of
from services.followup.measures import VERSION_HOLES
from tests.integration.followup.stand import Stand, a_journal, a_stand, contact
from tests.support.examples import example
from tests.unit.followup.story import MONDAY, names, policy_with


async def test_a_case_has_one_timer_that_fires_each_warning_and_the_breach_once(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open(severity="urgent", channel="sms"))
    assert await stand.count("timers") == 1

    said = names(await stand.until_quiet(MONDAY + timedelta(hours=1)))

    assert said == [f"clock.{step} {clock}" for clock in ("first_response", "resolution")
                    for step in ("warned", "warned", "warned", "breached")]  # fmt: skip
    assert await stand.count("timers") == 1, "the next is the progress notice"
    assert await stand.pass_by(0) == []


async def test_a_breach_while_nobody_looked_is_told_late_with_its_own_moment(stand: Stand) -> None:
    await stand.hear(a_journal().open(severity="urgent", channel="sms"))

    said = await stand.pass_by(5 * 3600)

    breaches = {message.clock: message.occurred_at for message in said if isinstance(message, ClockBroken)}
    assert breaches == {
        "first_response": MONDAY + timedelta(minutes=5),
        "resolution": MONDAY + timedelta(minutes=30),
    }


async def test_a_timer_is_moved_only_when_something_is_due_earlier(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open(phone=None))
    first = await stand.next_timer()
    await stand.hear(journal.tell(CaseProblemRestated))
    assert await stand.next_timer() == first

    assert await stand.pass_by(150) == [], "the wake finds nothing to do"

    moved = await stand.next_timer()
    assert moved is not None
    assert first is not None
    assert moved > first


async def test_a_merged_case_leaves_no_timer_and_no_handle(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open())
    await stand.hear(journal.tell(CaseResolved, state="solved"), journal.tell(CaseMerged, state="merged"))

    assert (await stand.count("timers"), await stand.count("handles"), await stand.count("cases")) == (0, 0, 1)


async def test_a_cancel_that_commits_first_wins_over_the_timer_that_is_due(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open(severity="urgent"))
    stand.clock.pass_by(3600)

    merged, fired = await asyncio.gather(stand.hear(journal.tell(CaseMerged, state="merged")), stand.pass_by(0))

    ends = [name for name in names([out.message for out in stand.said]) if name in _ENDS]
    assert sorted(ends) == sorted(set(ends)), "no clock ends twice, whoever was first"
    assert await stand.count("timers") == 0
    assert await stand.count("parked") == 0
    assert merged or fired


_ENDS = {f"clock.{end} {clock}" for end in ("breached", "cancelled") for clock in ("first_response", "resolution")}


async def test_repeats_change_nothing_and_holes_are_counted_but_stop_nobody(stand: Stand) -> None:
    journal = a_journal()
    opened, restated = journal.open(), journal.tell(CaseProblemRestated)
    lost, resolved = journal.tell(CustomerNotified), journal.tell(CaseResolved, state="solved")
    holes = VERSION_HOLES._value.get()
    await stand.hear(opened, restated)

    assert await stand.hear(opened, restated, restated) == []
    assert VERSION_HOLES._value.get() == holes
    assert stand.idle == [CaseOpened.type, CaseProblemRestated.type, CaseProblemRestated.type]
    assert "clock.met resolution" in names(await stand.hear(resolved))
    assert VERSION_HOLES._value.get() == holes + 1
    assert await stand.hear(lost) == []
    assert stand.idle[3:] == [CustomerNotified.type]
    assert await stand.version(journal.case_id) == resolved.version


async def test_a_rejected_command_has_a_version_like_any_event_and_none_without_a_case(stand: Stand) -> None:
    journal = a_journal()
    rejected = example(CommandRejected).model_copy(update={"case_id": journal.case_id, "version": 2, "state": "queued"})
    orphan = rejected.model_copy(update={"case_id": derived_id("nobody"), "version": None, "state": None})
    holes = VERSION_HOLES._value.get()

    await stand.hear(journal.open(), rejected, orphan)

    assert await stand.version(journal.case_id) == 2
    assert VERSION_HOLES._value.get() == holes


async def test_a_batch_of_many_cases_in_all_stages_is_handled_in_one_go(stand: Stand) -> None:
    journals = [a_journal(number) for number in range(40)]
    await stand.hear(*(journal.open() for journal in journals))
    batch: list[Message] = []
    for number, journal in enumerate(journals):
        batch.append(journal.tell(CaseProblemRestated))
        if number % 2:
            batch += [
                journal.tell(CaseResolved, state="solved"),
                journal.tell(CaseClosed, state="closed", outcome="confirmed", cycle=1),
            ]
    new = a_journal(99)
    batch += [new.open(channel="email"), contact(ContactStarted)]

    said = names(await stand.hear(*batch))

    assert said.count("clock.met first_response") == 40
    assert said.count("survey.sent") == said.count("callback.scheduled") == said.count("callback.cancelled") == 20
    assert said.count("clock.started acknowledgement") == 1
    assert (await stand.count("cases"), await stand.count("timers"), await stand.count("handles")) == (41, 41, 20)
    identities = [outgoing.message_id for outgoing in stand.said]
    assert len(set(identities)) == len(identities)


async def test_clocks_survive_a_restart_with_another_policy_as_they_were_defined(
    stand: Stand, postgres_database: str
) -> None:
    journal = a_journal()
    await stand.hear(journal.open(severity="urgent", channel="sms"))

    async with a_stand(postgres_database, policy_with(clocks={})) as restarted:
        said = await restarted.until_quiet(MONDAY + timedelta(hours=1))

    assert "clock.breached resolution" in names(said)


async def test_a_broken_case_is_parked_alone_and_its_timer_comes_back(stand: Stand) -> None:
    broken, healthy = a_journal(1), a_journal(2)
    await stand.hear(broken.open(severity="urgent"), healthy.open(severity="urgent"))
    body = await stand.pool.fetchval("SELECT body FROM cases WHERE case_id = $1", broken.case_id)
    await stand.pool.execute("UPDATE cases SET body = '{}' WHERE case_id = $1", broken.case_id)

    said = await stand.pass_by(3600)

    assert {message.case_id for message in said if isinstance(message, ClockBroken)} == {healthy.case_id}
    assert await stand.count("parked") == 1
    await stand.pool.execute("UPDATE cases SET body = $2 WHERE case_id = $1", broken.case_id, body)
    await stand.hear(broken.tell(CaseProblemRestated))
    said = await stand.pass_by(1)
    assert {message.case_id for message in said if isinstance(message, ClockBroken)} == {broken.case_id}


def test_a_policy_that_names_an_unknown_calendar_says_which_key() -> None:
    import pytest

    from services.runtime.errors import StartError

    clocks = policy_with().followup.clocks
    wrong = clocks["plan"].model_copy(update={"calendar": "nights"})
    policy: Policy = policy_with(clocks=clocks | {"plan": wrong})

    with pytest.raises(StartError, match=r"followup\.clocks\.plan\.calendar.*'nights'"):
        handler_of(policy)
