"""What does every request to change a case carry?"""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.message import Message
from contracts.values import Actor


class Command(Message):
    """A request; the router answers on ``case.events``, with ``command_rejected`` when the business says no."""

    topic: ClassVar[str] = "case.commands"
    key_field: ClassVar[str] = "case_id"
    case_id: UUID
    by: Actor
    expected_version: Annotated[int, Field(ge=0)] | None = None
    """The version the sender saw; absent: the last writer wins."""
