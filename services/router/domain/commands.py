"""Which command is allowed in which state of a case, and what decides it? The transition table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts import desk
from contracts.values import CaseState
from services.router.domain import caring, closing, cooperation, offering, promising, solving, understanding
from services.router.domain.case import ALL, HELD, LIVE, OPEN, Case, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, View, rejected

Rule = Callable[[Case, Any, Occasion], Decision | Refusal]
WideRule = Callable[[Case, Any, Occasion, View], Decision | Refusal]
"""A rule that looks at other cases or at agents."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: in these states, this decides."""

    states: frozenset[CaseState]
    decide: WideRule


def _alone(rule: Rule) -> WideRule:
    return lambda case, command, occasion, _: rule(case, command, occasion)


def _not_supported(_case: Case, command: desk.Command, _occasion: Occasion) -> Refusal:
    return Refusal("not_supported_yet", f"{command.type} is known, but nothing acts on it yet.")


_OVER_TOO: frozenset[CaseState] = LIVE | {"closed"}
_NARROW: Mapping[type[desk.Command], tuple[frozenset[CaseState], Rule]] = {
    # An offer that is gone is told as offer_ended, whatever became of the case meanwhile.
    desk.AcceptOffer: (ALL | {"merged"}, offering.accept),
    desk.DeclineOffer: (ALL | {"merged"}, offering.decline),
    desk.RecordFacts: (LIVE, understanding.record_facts),
    desk.RestateProblem: (HELD, understanding.restate_problem),
    desk.ConfirmUnderstanding: (HELD, understanding.confirm_understanding),
    desk.CorrectClassification: (OPEN, understanding.correct_classification),
    desk.RequestInformation: (HELD, understanding.request_information),
    desk.ProposeSolution: (HELD, solving.propose_solution),
    desk.ChooseSolution: (HELD, solving.choose_solution),
    desk.MakePromise: (LIVE, promising.make_promise),
    desk.MovePromise: (LIVE, promising.move_promise),
    desk.KeepPromise: (_OVER_TOO, promising.keep_promise),
    desk.RecordProgress: (LIVE, solving.record_progress),
    desk.ReachMilestone: (LIVE, solving.reach_milestone),
    desk.Escalate: (OPEN, cooperation.escalate),
    desk.RequestRelief: (HELD, cooperation.relieve),
    desk.OpenWorkOrder: (HELD, cooperation.open_work_order),
    desk.UpdateWorkOrder: (LIVE, cooperation.update_work_order),
    desk.Resolve: (HELD, solving.resolve),
    desk.ConfirmResolution: (frozenset({"solved", "closed"}), closing.confirm_resolution),
    desk.Reopen: (frozenset({"solved", "closed", "spam"}), closing.reopen),
    desk.Close: (frozenset({"solved"}), closing.close),
    desk.MarkSpam: (LIVE, closing.mark_spam),
    desk.ScheduleCallback: (_OVER_TOO, caring.schedule_callback),
    desk.CancelCallback: (_OVER_TOO, caring.cancel_callback),
    desk.RecordSurvey: (frozenset({"solved", "closed"}), caring.record_survey),
    desk.SetPreference: (ALL | {"merged"}, _not_supported),
    desk.EraseCustomer: (ALL | {"merged"}, _not_supported),
}

TABLE: Mapping[type[desk.Command], Row] = {
    **{command: Row(states, _alone(rule)) for command, (states, rule) in _NARROW.items()},
    desk.Transfer: Row(OPEN, cooperation.transfer),
    desk.Merge: Row(LIVE, closing.merge),
    desk.Link: Row(ALL, closing.link),
}
"""Every command of ``interface.md`` has a row; what is not in its states is refused with ``illegal_state``."""


def decide_command(case: Case, command: desk.Command, occasion: Occasion, view: View) -> Decision:
    """Return what the command leads to; a refusal is an event too."""
    outcome = _standing_refusal(case, command) or TABLE[type(command)].decide(case, command, occasion, view)
    if isinstance(outcome, Refusal):
        return rejected(case, command.type, outcome, occasion)
    return Decision(evolve(outcome.case, worked_at=occasion.now), outcome.entries, outcome.others)


def _standing_refusal(case: Case, command: desk.Command) -> Refusal | None:
    expected = command.expected_version
    if expected is not None and expected != case.version:
        return Refusal("version_conflict", f"The case is at version {case.version}, not {expected}; look again.")
    states = TABLE[type(command)].states
    if case.state in states:
        return None
    allowed = ", ".join(sorted(states))
    hint = f"it goes on in {case.merged_into}" if case.merged_into else f"this is allowed in {allowed}"
    return Refusal("illegal_state", f"The case is {case.state}; {hint}.")
