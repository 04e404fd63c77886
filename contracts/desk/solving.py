"""Which requests belong to solving, promising and closing a case?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.desk.command import Command
from contracts.values import Moment, Money, Name, PersonalText, Ref, Relation, SolutionOption, Text


class ProposeSolution(Command, type="caseloop.command.propose_solution.v1"):
    """One or two ways out, offered to the customer (S1)."""

    options: Annotated[tuple[SolutionOption, ...], Field(min_length=1, max_length=10)]


class ChooseSolution(Command, type="caseloop.command.choose_solution.v1"):
    """The customer's choice (S1)."""

    option_id: Ref
    note: PersonalText | None = None


class MakePromise(Command, type="caseloop.command.make_promise.v1"):
    """A time told to the customer (S2)."""

    promise_id: UUID
    what: PersonalText
    due_at: Moment


class MovePromise(Command, type="caseloop.command.move_promise.v1"):
    """The promise cannot be kept: a new time, told before the old one passes (S3)."""

    promise_id: UUID
    due_at: Moment
    reason: PersonalText
    compensation: Money | None = None


class KeepPromise(Command, type="caseloop.command.keep_promise.v1"):
    """The promise was kept (S2)."""

    promise_id: UUID


class ReachMilestone(Command, type="caseloop.command.reach_milestone.v1"):
    """A named event worth telling the customer, told exactly once (S4)."""

    milestone: Name
    details: dict[Name, PersonalText] = {}


class Resolve(Command, type="caseloop.command.resolve.v1"):
    """The problem is solved, as far as the agent knows (L1)."""

    resolution: PersonalText
    solution_option_id: Ref | None = None


class ConfirmResolution(Command, type="caseloop.command.confirm_resolution.v1"):
    """The customer's word on the resolution (L1, F3)."""

    solved: bool
    text: PersonalText | None = None


class Reopen(Command, type="caseloop.command.reopen.v1"):
    """The case is not done (F3, L1)."""

    reason: PersonalText


class Close(Command, type="caseloop.command.close.v1"):
    """Close a solved case by hand (L1)."""

    reason: Text


class Merge(Command, type="caseloop.command.merge.v1"):
    """This case is the same as another and goes on there."""

    into_case_id: UUID
    reason: Text


class Link(Command, type="caseloop.command.link.v1"):
    """Name how this case and another belong together (R7)."""

    to_case_id: UUID
    relation: Relation
    reason: Text | None = None


class MarkSpam(Command, type="caseloop.command.mark_spam.v1"):
    """This was never a customer's need."""

    reason: Text
