"""How are cases prioritised and given to people?"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from contracts.policy.section import Section
from contracts.values import Band, Channel, Emotion, Language, Name, Quadrant, Severity, Tier

Points = Annotated[int, Field(ge=0, le=1_000_000)]
Duration = Annotated[int, Field(ge=0, le=315_360_000)]
"""Whole seconds."""
Span = Annotated[int, Field(ge=1, le=315_360_000)]
"""Whole seconds, at least one: something is divided by it."""


class PriorityPolicy(Section):
    """The summands of the priority (C7): the sum of all that apply, higher first.

    ``age_step_points`` are added for every full ``age_step_seconds`` since the case (re)opened, up to
    ``age_points_max``; of ``deadline_points_max`` the share that has gone of ``deadline_seconds``.
    """

    severity: dict[Severity, Points]
    quadrant: dict[Quadrant, Points]
    emotion: dict[Emotion, Points]
    tier: dict[Tier, Points]
    safety: Points
    at_risk: Points
    repeat_contact: Points
    supervisor: Points
    reopened: Points
    age_step_seconds: Span
    age_step_points: Points
    age_points_max: Points
    deadline_seconds: dict[Severity, Span]
    deadline_points_max: Points
    band_floors: dict[Band, Points]
    """The lowest priority of each band but ``low``, which begins at 0."""

    @model_validator(mode="after")
    def _is_complete(self) -> "PriorityPolicy":
        for field in ("severity", "deadline_seconds"):
            _need(getattr(self, field), ("urgent", "important", "normal"), field)
        _need(self.quadrant, ("urgent_important", "important", "urgent", "routine"), "quadrant")
        _need(self.emotion, ("calm", "angry", "distressed"), "emotion")
        _need(self.tier, ("standard", "silver", "gold"), "tier")
        _need(self.band_floors, ("critical", "high", "medium"), "band_floors")
        if not self.band_floors["critical"] > self.band_floors["high"] > self.band_floors["medium"] > 0:
            problem = "band_floors must fall: critical > high > medium > 0"
            raise ValueError(problem)
        return self


class OfferPolicy(Section):
    """How long an agent is asked before the work goes to another (A2)."""

    live_channels: tuple[Channel, ...]
    live_seconds: Span
    deferred_seconds: Span


class CapacityPolicy(Section):
    """How many of an agent's units one case takes (A2)."""

    units: dict[Channel, Annotated[int, Field(ge=1, le=1000)]]
    waiting_customer_percent: Annotated[int, Field(ge=0, le=100)]
    """The share of those units that is still taken while the case waits for the customer, rounded up."""

    @model_validator(mode="after")
    def _is_complete(self) -> "CapacityPolicy":
        _need(self.units, ("phone", "chat", "email", "social", "sms"), "units")
        return self


class Step(Section):
    """One widening of the search, from ``after_seconds`` of waiting on (A3)."""

    name: Name
    after_seconds: Duration
    level_drop: Annotated[int, Field(ge=0, le=5)]
    """By how much every demanded skill level is lowered; a level of 0 asks for nothing."""
    any_language: bool = False
    supervisors_too: bool = False
    any_department: bool = False
    """Overflow: never entered before its time, except by safety emergencies and by cases for a supervisor."""


class RecoveryPolicy(Section):
    """When a verdict calls for amends (F5)."""

    overall_max: Annotated[int, Field(ge=0, le=5)]
    item_max: Annotated[int, Field(ge=0, le=5)]
    compensation_options: dict[Language, tuple[str, ...]]


class RoutingPolicy(Section):
    """The pack's section ``routing``."""

    fallback_department: Name
    """Who takes what no rule places (A1)."""
    priority: PriorityPolicy
    offers: OfferPolicy
    capacity: CapacityPolicy
    preferred_seconds: Duration
    """How long a case waits for its own agent who is there but full (A3)."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=6)]
    supervisor_fallback_seconds: Duration
    """How long a case for a supervisor waits before anybody may take it (A6)."""
    supervisor_when_safety: bool
    supervisor_when_at_risk: bool
    escalating_clocks: tuple[Name, ...]
    """Clocks whose breach raises the case to the supervisor (S2, S3)."""
    implied_purposes: tuple[Name, ...]
    """Messages whose sending the journal does not repeat: the event that they are sent for implies them."""
    idle_seconds: dict[Severity, Span]
    """An assigned case without any step for so long goes back to the queue (A7)."""
    callback_seconds: Duration
    """When a callback is due for which nobody named a time (F2)."""
    assistance_contact: str
    """Whom to call in a safety emergency (C4)."""
    recovery: RecoveryPolicy

    @model_validator(mode="after")
    def _is_ordered(self) -> "RoutingPolicy":
        _need(self.idle_seconds, ("urgent", "important", "normal"), "idle_seconds")
        waits = [step.after_seconds for step in self.steps]
        if waits[0] != 0 or waits != sorted(waits):
            problem = "steps must begin with after_seconds = 0 and never go back"
            raise ValueError(problem)
        if len({step.name for step in self.steps}) != len(self.steps):
            problem = "steps must have different names"
            raise ValueError(problem)
        return self


def _need(table: Mapping[Any, int], keys: tuple[str, ...], name: str) -> None:
    missing = [key for key in keys if key not in table]
    if missing:
        problem = f"{name} lacks {', '.join(missing)}"
        raise ValueError(problem)
