"""Which requests belong to taking, understanding and passing on a case?"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from contracts.desk.command import Command
from contracts.values import (
    Attachment,
    Emotion,
    Facts,
    Importance,
    Level,
    Name,
    PersonalText,
    Ref,
    Scenario,
    Severity,
    Text,
    Value,
)


class AcceptOffer(Command, type="caseloop.command.accept_offer.v1"):
    """The agent takes the case (A2)."""

    offer_id: UUID
    agent_id: Ref


class DeclineOffer(Command, type="caseloop.command.decline_offer.v1"):
    """The agent does not take the case and is not asked again for it (A2)."""

    offer_id: UUID
    agent_id: Ref
    reason: Text | None = None


class RecordFacts(Command, type="caseloop.command.record_facts.v1"):
    """Structured facts learned from the customer (R6)."""

    facts: Annotated[Facts, Field(min_length=1)]


class RestateProblem(Command, type="caseloop.command.restate_problem.v1"):
    """The problem in the agent's words, for the customer's yes (R5)."""

    text: PersonalText


class ConfirmUnderstanding(Command, type="caseloop.command.confirm_understanding.v1"):
    """The customer's yes or correction to the restated problem (R5)."""

    confirmed: bool
    correction: PersonalText | None = None


class CorrectClassification(Command, type="caseloop.command.correct_classification.v1"):
    """The agent knows better than the rules (C1)."""

    scenario: Scenario | None = None
    category: Name | None = None
    severity: Severity | None = None
    importance: Importance | None = None
    emotion: Emotion | None = None
    safety: bool | None = None
    reason: Text

    @model_validator(mode="after")
    def _corrects_something(self) -> "CorrectClassification":
        given = (self.scenario, self.category, self.severity, self.importance, self.emotion, self.safety)
        if all(field is None for field in given):
            problem = "give at least one of scenario, category, severity, importance, emotion, safety"
            raise ValueError(problem)
        return self


class RequestInformation(Command, type="caseloop.command.request_information.v1"):
    """The case waits for the customer; resolution clocks pause (R6)."""

    fields: Annotated[tuple[Name, ...], Field(min_length=1)]
    text: PersonalText | None = None


class RecordProgress(Command, type="caseloop.command.record_progress.v1"):
    """One step of the work, a row of Table 2 (S6)."""

    step: Text
    action: Text
    told_customer: PersonalText | None = None
    attachments: tuple[Attachment, ...] = ()


class TransferTarget(Value):
    """Where a case should go."""

    department: Name | None = None
    agent_id: Ref | None = None
    skills: dict[Name, Level] | None = None

    @model_validator(mode="after")
    def _names_a_target(self) -> "TransferTarget":
        if self.department is None and self.agent_id is None and not self.skills:
            problem = "give at least one of department, agent_id, skills"
            raise ValueError(problem)
        return self


class Transfer(Command, type="caseloop.command.transfer.v1"):
    """Pass the case on; the customer was asked first (A4)."""

    to: TransferTarget
    customer_agreed: bool
    reason: Text


class Escalate(Command, type="caseloop.command.escalate.v1"):
    """Beyond the agent's authority, or on request: to the supervisor (A6)."""

    reason: Text


class RequestRelief(Command, type="caseloop.command.request_relief.v1"):
    """The agent asks a colleague to take over (C5)."""

    reason: Text


class OpenWorkOrder(Command, type="caseloop.command.open_work_order.v1"):
    """Work for another department (A5)."""

    department: Name
    responsible: Ref
    nodes: Annotated[tuple[Text, ...], Field(min_length=1)]


class UpdateWorkOrder(Command, type="caseloop.command.update_work_order.v1"):
    """A node of a work order moved on (A5)."""

    work_order_no: Ref
    node: Text
    state: Literal["open", "in_progress", "done", "blocked"]
    note: Text | None = None
