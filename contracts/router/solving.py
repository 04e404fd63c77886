"""Which events tell how a case is solved, promised about and closed?"""

from typing import Literal
from uuid import UUID

from contracts.router.event import CaseEvent
from contracts.values import Attachment, Moment, Money, Name, PersonalText, Ref, Relation, SolutionOption, Text


class SolutionProposed(CaseEvent, type="caseloop.case.solution_proposed.v1"):
    """Ways out were offered (S1)."""

    options: tuple[SolutionOption, ...]


class SolutionChosen(CaseEvent, type="caseloop.case.solution_chosen.v1"):
    """The customer chose (S1)."""

    option_id: Ref
    note: PersonalText | None = None


class PromiseMade(CaseEvent, type="caseloop.case.promise_made.v1"):
    """A time was told to the customer (S2)."""

    promise_id: UUID
    what: PersonalText
    due_at: Moment


class PromiseMoved(CaseEvent, type="caseloop.case.promise_moved.v1"):
    """A new time, told before the old one passes (S3)."""

    promise_id: UUID
    what: PersonalText
    due_at: Moment
    previous_due_at: Moment
    reason: PersonalText
    compensation: Money | None = None


class PromiseKept(CaseEvent, type="caseloop.case.promise_kept.v1"):
    """The promise was kept (S2)."""

    promise_id: UUID


class PromiseBreached(CaseEvent, type="caseloop.case.promise_breached.v1"):
    """The promised time passed; the case is escalated with it (S2)."""

    promise_id: UUID
    due_at: Moment


class CaseProgressed(CaseEvent, type="caseloop.case.progressed.v1"):
    """One step of the work, a row of Table 2 (S6)."""

    tracking_no: Ref
    step: Text
    action: Text
    told_customer: PersonalText | None = None
    attachments: tuple[Attachment, ...] = ()


class MilestoneReached(CaseEvent, type="caseloop.case.milestone_reached.v1"):
    """A named event worth telling the customer (S4); ``cycle`` counts reopenings, one message each."""

    milestone: Name
    details: dict[Name, PersonalText] = {}
    cycle: int


class CaseResolved(CaseEvent, type="caseloop.case.resolved.v1"):
    """Solved, as far as the agent knows; the customer is asked (L1)."""

    resolution: PersonalText
    solution_option_id: Ref | None = None
    agent_id: Ref | None = None
    cycle: int


class ResolutionRejected(CaseEvent, type="caseloop.case.resolution_rejected.v1"):
    """The customer says it is not solved; ``reopened`` follows at once (F3)."""

    text: PersonalText | None = None


class CaseReopened(CaseEvent, type="caseloop.case.reopened.v1"):
    """The case goes on, raised to the supervisor, to be closed within the policy's time (F3)."""

    reason: PersonalText
    cycle: int
    supervisor_needed: bool = True


class CaseClosed(CaseEvent, type="caseloop.case.closed.v1"):
    """Final (L1)."""

    outcome: Literal["confirmed", "confirmation_exhausted", "by_hand"]
    cycle: int
    agent_id: Ref | None = None
    reason: Text | None = None


class CaseMerged(CaseEvent, type="caseloop.case.merged.v1"):
    """This case goes on in another."""

    into_case_id: UUID
    reason: Text


class CaseLinked(CaseEvent, type="caseloop.case.linked.v1"):
    """This case belongs to another (R7); also what the surviving case says of a merge (``duplicate``)."""

    to_case_id: UUID
    relation: Relation
    reason: Text | None = None


class CaseMarkedSpam(CaseEvent, type="caseloop.case.marked_spam.v1"):
    """This was never a customer's need."""

    reason: Text
