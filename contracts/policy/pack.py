"""Which sections does a policy pack have?"""

from functools import cached_property
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from contracts.policy.calendars import Calendar
from contracts.policy.classification import ClassificationPolicy
from contracts.policy.followup import FollowupPolicy
from contracts.policy.messages import MessagesPolicy
from contracts.policy.routing import RoutingPolicy
from contracts.policy.section import Section
from contracts.values import Language, Name, PolicyRef


class Department(Section):
    """A department and the calendar it works by (A1)."""

    calendar: Name
    title: dict[Language, str]


class Vocabulary(Section):
    """The ids of this pack and, for each category, the department that answers for it (A1)."""

    categories: dict[Name, Name]
    milestones: tuple[Name, ...]
    scenario_departments: dict[Name, Name] = {}
    """Scenarios that belong to one department whatever the category, for example complaints."""


class Policy(Section):
    """One version of the service standard; a case records which one judged it."""

    name: Name
    version: Annotated[str, Field(min_length=1, max_length=64)]
    languages: tuple[Language, ...]
    """Languages with wording; the first is the fallback."""
    company: str
    departments: dict[Name, Department]
    vocabulary: Vocabulary
    calendars: dict[Name, Calendar]
    classification: ClassificationPolicy
    routing: RoutingPolicy
    followup: FollowupPolicy
    messages: MessagesPolicy

    @field_validator("messages")
    @classmethod
    def _lint_messages(cls, messages: MessagesPolicy, info: ValidationInfo) -> MessagesPolicy:
        """Refuse wording that lacks a language of the pack or a milestone of its vocabulary."""
        vocabulary = info.data.get("vocabulary")
        messages.lint(info.data.get("languages", ()), vocabulary.milestones if vocabulary else ())
        return messages

    @cached_property
    def ref(self) -> PolicyRef:
        """How messages name this pack: every one of them does."""
        return PolicyRef(name=self.name, version=self.version)
