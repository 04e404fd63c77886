"""How does a case end, come back, or go on in another? (L1, F3)"""

from datetime import timedelta
from typing import Literal

from contracts.desk import Close, ConfirmResolution, Link, MarkSpam, Merge, Reopen
from contracts.router import (
    CaseClosed,
    CaseLinked,
    CaseMarkedSpam,
    CaseMerged,
    CaseReopened,
    ResolutionRejected,
)
from contracts.router.opening import CaseLink
from contracts.values import Relation
from services.router.domain.caring import take_over_callback
from services.router.domain.case import LIVE, Case, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, View, nothing, stamp, tell
from services.router.domain.offering import requeued, withdraw
from services.router.domain.promising import take_over_promises, without_open_promises


def closed(
    case: Case,
    outcome: Literal["confirmed", "confirmation_exhausted", "by_hand"],
    occasion: Occasion,
    reason: str | None = None,
) -> Decision:
    """Close a solved case for good (L1)."""
    after = evolve(case, state="closed", ended_at=occasion.now)
    return tell(
        after,
        CaseClosed(
            **stamp(after, occasion),
            outcome=outcome,
            cycle=case.cycle,
            agent_id=case.agent_id,
            reason=reason,
        ),
    )


def verdict(case: Case, solved: bool, text: str | None, occasion: Occasion) -> Decision:
    """Take the customer's word on the resolution: yes closes, no reopens and raises the case (L1, F3)."""
    if solved:
        return closed(case, "confirmed", occasion) if case.state == "solved" else nothing(case)
    if case.state != "solved" and not in_reopen_window(case, occasion):
        return nothing(case)
    said = tell(case, ResolutionRejected(**stamp(case, occasion), text=text))
    return said.then(lambda current: reopened(current, text or "The customer says it is not solved.", True, occasion))


def confirm_resolution(case: Case, command: ConfirmResolution, occasion: Occasion) -> Decision | Refusal:
    """Take the customer's word as an agent or an integrator passes it on (L1, F3)."""
    if case.state == "closed" and command.solved:
        return Refusal("already_closed", "The case is closed; nothing is left to confirm.")
    if case.state == "closed" and not in_reopen_window(case, occasion):
        return _window_over()
    return verdict(case, command.solved, command.text, occasion)


def reopen(case: Case, command: Reopen, occasion: Occasion) -> Decision | Refusal:
    """Let the case go on, with the supervisor (F3); after the window a new case is opened instead (L1)."""
    if case.state != "solved" and not in_reopen_window(case, occasion):
        return _window_over()
    return reopened(case, command.reason, True, occasion)


def reopened(case: Case, reason: str, to_supervisor: bool, occasion: Occasion) -> Decision:
    """Begin the next cycle: milestones may be told anew; the last agent is asked first, unless a supervisor must."""
    supervisor = to_supervisor or case.supervisor_needed
    after = requeued(
        evolve(case, aged_from=occasion.now, cycle=case.cycle + 1, supervisor_needed=supervisor),
        occasion,
        milestones=(),
        declined=(),
        options=(),
        resolution=None,
        solved_at=None,
        ended_at=None,
        preferred_agent_id=None if supervisor else case.agent_id,
    )
    return tell(
        after,
        CaseReopened(
            **stamp(after, occasion),
            reason=reason,
            cycle=after.cycle,
            supervisor_needed=supervisor,
        ),
    )


def in_reopen_window(case: Case, occasion: Occasion) -> bool:
    """Tell whether a case that is over can still be reopened (L1)."""
    window = timedelta(seconds=occasion.policy.classification.threading.reopen_window_seconds)
    return case.ended_at is not None and occasion.now < case.ended_at + window


def close(case: Case, command: Close, occasion: Occasion) -> Decision | Refusal:
    """Close a solved case by hand: at its customer's wish, or when its customer was called in vain (L1)."""
    if occasion.by.kind != "customer" and not _called_in_vain(case):
        return Refusal(
            "not_confirmed",
            "The customer has not spoken on this solution: pass the word on with confirm_resolution, or let the "
            "confirmation run out.",
        )
    return closed(case, "by_hand", occasion, command.reason)


def _called_in_vain(case: Case) -> bool:
    """Tell whether the ladder of calls about this solution, not about an earlier one, is exhausted (F2)."""
    return case.solved_at is not None and any(
        call.purpose == "after_resolution" and call.state == "exhausted" and call.at > case.solved_at
        for call in case.callbacks
    )


def mark_spam(case: Case, command: MarkSpam, occasion: Occasion) -> Decision:
    """End what was never a customer's need; nobody is told or asked about it (F4)."""

    def marked(current: Case) -> Decision:
        after = evolve(current, state="spam", ended_at=occasion.now)
        return tell(after, CaseMarkedSpam(**stamp(after, occasion), reason=command.reason))

    return withdraw(case, occasion, "the case was marked as spam").then(marked)


def merge(case: Case, command: Merge, occasion: Occasion, view: View) -> Decision | Refusal:
    """Let this case go on in another, which keeps the link, the facts it lacked, and what the customer was promised."""
    if command.into_case_id == case.case_id:
        return Refusal("merge_into_itself", "A case cannot be merged into itself.")
    target = view.cases.get(command.into_case_id)
    if target is None:
        return Refusal("unknown_target_case", "There is no case with the id into_case_id.")
    if target.state not in LIVE:
        return Refusal("target_case_ended", f"The case to go on in is {target.state}; reopen it first.")

    def merged(current: Case) -> Decision:
        after = evolve(
            without_open_promises(current), state="merged", merged_into=target.case_id, ended_at=occasion.now
        )
        return tell(after, CaseMerged(**stamp(after, occasion), into_case_id=target.case_id, reason=command.reason))

    decision = withdraw(case, occasion, "the case was merged").then(merged)
    survivor = evolve(target, facts=case.facts | target.facts)
    linked = _linked(survivor, case, "duplicate", command.reason, occasion)
    owing = linked.then(lambda current: take_over_promises(current, case, occasion))
    joined = owing.then(lambda current: take_over_callback(current, case, occasion))
    return Decision(decision.case, decision.entries, (*decision.others, joined))


def link(case: Case, command: Link, occasion: Occasion, view: View) -> Decision | Refusal:
    """Name how this case and another belong together (R7)."""
    if command.to_case_id == case.case_id:
        return Refusal("link_to_itself", "A case cannot be linked to itself.")
    other = view.cases.get(command.to_case_id)
    if other is None:
        return Refusal("unknown_target_case", "There is no case with the id to_case_id.")
    if CaseLink(case_id=other.case_id, relation=command.relation) in case.links:
        return Refusal("already_linked", "The two cases are linked in this way.")
    return _linked(case, other, command.relation, command.reason, occasion)


def _linked(case: Case, other: Case, relation: Relation, reason: str | None, occasion: Occasion) -> Decision:
    after = evolve(case, links=(*case.links, CaseLink(case_id=other.case_id, relation=relation)))
    return tell(
        after,
        CaseLinked(
            **stamp(after, occasion),
            to_case_id=other.case_id,
            relation=relation,
            reason=reason,
        ),
    )


def _window_over() -> Refusal:
    return Refusal("reopen_window_over", "The time in which this case could be reopened is over; open a new one.")
