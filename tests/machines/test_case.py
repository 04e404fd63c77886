"""Does a case move only along its states, each change on its journal, whatever commands and reports come (I5, I9)?

The states are those of the picture in the router's README, written down here once more.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts import desk
from contracts.followup import CallbackMessage
from contracts.message import Message, derived_id
from contracts.router import CaseOffered, CommandRejected, verify_hash
from contracts.router.event import ZERO_HASH
from contracts.values import Actor, CaseState
from services.router.domain.case import Case
from services.router.domain.commands import TABLE, decide_command
from services.router.domain.contacts import Unknown, received
from services.router.domain.journal import Decision, Entry, Occasion, View
from services.router.domain.offering import Pick, end_offer, give
from services.router.domain.reports import REPORTS, decide_report
from tests.machines.depth import depth
from tests.support.examples import example
from tests.unit.router.given import AGENT, a_profile, an_occasion, case_id_of, later, opened, words
from tests.unit.router.records import lacking

WORK: set[CaseState] = {"queued", "offered", "assigned", "waiting_customer", "waiting_department"}
HELD: set[CaseState] = {"assigned", "waiting_customer", "waiting_department"}
NEXT: dict[CaseState, set[CaseState]] = {
    "queued": {"offered", "assigned", "merged", "spam"},
    "offered": {"queued", "assigned", "merged", "spam"},
    **dict.fromkeys(HELD, HELD | {"queued", "solved", "merged", "spam"}),
    "solved": {"queued", "closed", "merged", "spam"},
    "closed": {"queued"},
    "spam": {"queued"},
    "merged": set(),
}
COMMANDS = sorted(TABLE, key=lambda kind: kind.__name__)
REPORTED = sorted(REPORTS, key=lambda kind: kind.__name__)
AGENTS = ("a-1", "a-2")
CUSTOMER = Actor(kind="customer", id="c-1")
IDLE = {desk.SetPreference, desk.EraseCustomer}
"""Nothing acts on these yet."""
OTHER = case_id_of("other")
DECIDED = CaseOffered.model_validate(example(CaseOffered).model_dump()).decision
TRANSFER = desk.Transfer.model_validate(example(desk.Transfer).model_dump()).to


def one_of(pick: int, otherwise: object, known: Sequence[object]) -> object:
    """Return one of these mostly, else what is none of them."""
    return known[pick % len(known)] if known and pick % 5 else otherwise


class CaseLife(RuleBasedStateMachine):
    """One case after the other, and one that they may go on in."""

    @initialize(department=st.sampled_from(["technical_support", "operations"]))
    def it_opens(self, department: str) -> None:
        self.steps, self.seconds, self.name = 0, 0, "first"
        self.cases: dict[UUID, Case] = {}
        self.told: dict[UUID, list[Entry]] = {}
        for name in ("first", "other"):
            self.keep(opened(name, department=department))

    @property
    def case(self) -> Case:
        return self.cases[case_id_of(self.name)]

    def keep(self, decision: Decision) -> None:
        """Take a decision and check what it did."""
        before, after = self.cases.get(decision.case.case_id), decision.case
        assert before is None or after.version == before.version + len(decision.entries)
        if before is not None:
            self.moved(before, after, decision.entries)
        self.cases[after.case_id] = after
        self.told.setdefault(after.case_id, []).extend(decision.entries)
        for other in decision.others:
            self.keep(other)

    def moved(self, before: Case, after: Case, entries: tuple[Entry, ...]) -> None:
        """Check that each event names a state that may follow the one before, and that the last is the case's."""
        state = before.state
        for entry in entries:
            event = entry.event
            assert event.state is not None
            assert event.state == state or event.state in NEXT[state], f"{state} -> {event.state} by {event.type}"
            assert not isinstance(event, CommandRejected) or event.state == state
            state = event.state
        assert state == after.state, "a state changed and nobody was told"
        assert entries or before.model_dump(exclude={"worked_at"}) == after.model_dump(exclude={"worked_at"})

    def occasion(self, by: Actor = AGENT) -> Occasion:
        self.steps += 1
        return an_occasion(self.steps, later(self.seconds), by)

    def named(self, pick: int) -> dict[str, object]:
        """Return ids of what the case has, or of what it has not, and times to come."""
        case, nobody = self.case, derived_id("nobody")
        orders = [order.work_order_no for order in case.work_orders]
        return {
            "offer_id": case.offer.offer_id if case.offer else nobody,
            "agent_id": case.offer.agent_id if case.offer and pick % 4 else AGENTS[pick % 2],
            "promise_id": one_of(pick, nobody, [promise.promise_id for promise in case.promises]),
            "callback_id": one_of(pick, nobody, [callback.callback_id for callback in case.callbacks]),
            "survey_id": case.survey.survey_id if case.survey else nobody,
            "option_id": one_of(pick, "nothing", list(case.options)),
            "solution_option_id": one_of(pick, None, list(case.options)),
            "work_order_no": one_of(pick, "none", orders),
            "node": one_of(pick, "none", [node for order in case.work_orders for node in order.nodes]),
            "to": TRANSFER.model_copy(update={"agent_id": AGENTS[pick % 2], "department": None}),
            "window": None,
            "into_case_id": OTHER,
            "to_case_id": OTHER,
            "cycle": case.cycle,
            "solved": pick % 2 == 0,
            "resolution": "repaired" if pick % 5 else "",
            **dict.fromkeys(("due_at", "at", "not_before"), later(self.seconds + 3600)),
            "occurred_at": later(self.seconds),
            "department": "operations",
        }

    def message(self, kind: type[Message], pick: int, **fields: object) -> Message:
        given = self.named(pick) | {"case_id": case_id_of(self.name)} | fields
        return example(kind).model_copy(update={name: given[name] for name in given if name in kind.model_fields})

    @rule(seconds=st.integers(0, 400_000))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds

    @rule(picks=st.lists(st.integers(0, 9_999), min_size=1, max_size=16))
    def people_command(self, picks: list[int]) -> None:
        """Several at a time: of thirty-odd commands few are allowed in a state, so most are drawn from those."""
        for pick in picks:
            if self.case.state in ("merged", "spam") and pick % 5:
                self.name = f"case {self.steps}"
                self.keep(opened(self.name))
            if self.case.state == "queued" and pick % 3:
                self.it_is_given(AGENTS[pick % 2], auto_accept=pick % 2 == 0)
            allowed = [kind for kind in COMMANDS if self.case.state in TABLE[kind].states and kind not in IDLE]
            kinds = allowed if pick % 4 else COMMANDS
            self.command(kinds[pick // 4 % len(kinds)], pick)

    def command(self, kind: type[desk.Command], pick: int) -> None:
        before, stale = self.case, pick % 9 == 0
        expected = before.version - 1 if stale else before.version if pick % 9 == 1 else None
        command = self.message(kind, pick, expected_version=expected)
        assert isinstance(command, desk.Command)
        view = View(self.cases, {agent_id: a_profile(agent_id) for agent_id in AGENTS})
        decision = decide_command(before, command, self.occasion(AGENT if pick % 3 else CUSTOMER), view)
        assert decision.entries, "every command is answered"
        if stale:
            assert isinstance(decision.entries[0].event, CommandRejected)
            assert decision.entries[0].event.code == "version_conflict"
        self.keep(decision)

    @rule(kind=st.sampled_from(REPORTED), pick=st.integers(0, 99))
    def another_service_reports(self, kind: type[Message], pick: int) -> None:
        report = self.message(kind, pick)
        if isinstance(report, CallbackMessage):
            known = self.case.callback(report.callback_id)  # a call keeps its purpose for as long as it is spoken of
            purpose = known.purpose if known else "after_resolution" if pick % 2 else report.purpose
            report = report.model_copy(update={"purpose": purpose})
        self.keep(decide_report(self.case, report, self.occasion()))

    @rule(agent_id=st.sampled_from(AGENTS), auto_accept=st.booleans())
    def it_is_given(self, agent_id: str, auto_accept: bool) -> None:
        if self.case.state == "queued":
            profile = a_profile(agent_id, auto_accept=auto_accept)
            self.keep(give(self.case, Pick(profile, DECIDED), self.occasion()))

    @rule()
    def its_offer_runs_out(self) -> None:
        if self.case.offer is not None:
            self.keep(end_offer(self.case, "expired", self.occasion()))

    @rule(channel=st.sampled_from(["phone", "chat", "email"]), author=st.sampled_from(["customer", "agent"]))
    def somebody_writes(self, channel: str, author: str) -> None:
        more = words(f"more {self.steps}", channel, joins=(case_id_of(self.name),), author=author)  # type: ignore[arg-type]  # values of the literal
        outcome = received(more, self.occasion(), View(self.cases))
        assert not isinstance(outcome, Unknown)
        for decision in outcome:
            self.keep(decision)

    @invariant()
    def what_it_holds_fits_its_state(self) -> None:
        for case in getattr(self, "cases", {}).values():
            assert (case.offer is not None) == (case.state == "offered")
            assert case.state not in HELD or case.agent_id is not None
            assert (case.merged_into is not None) == (case.state == "merged")
            assert (case.ended_at is not None) == (case.state in ("closed", "spam", "merged"))

    @invariant()
    def what_is_closed_is_a_whole_record(self) -> None:
        for told in getattr(self, "told", {}).values():
            assert lacking(told) == []

    @invariant()
    def every_chain_is_gapless(self) -> None:
        for case_id, told in getattr(self, "told", {}).items():
            previous = ZERO_HASH
            for version, entry in enumerate(told, start=1):
                data = orjson.loads(entry.value)
                assert (data["version"], data["previous_hash"]) == (version, previous)
                previous = data["hash"]
            assert verify_hash(told[-1].value)
            assert self.cases[case_id].hash == previous


CaseLife.TestCase.settings = depth()
TestCaseLife = CaseLife.TestCase
