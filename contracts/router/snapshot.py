"""What is the latest state of a case (topic ``case.snapshots``)?"""

from typing import ClassVar
from uuid import UUID

from contracts.message import Message
from contracts.router.opening import CaseLink
from contracts.values import (
    CaseState,
    Classification,
    Contact,
    Customer,
    Facts,
    Hash,
    Level,
    Moment,
    Name,
    PersonalText,
    PolicyRef,
    Priority,
    Ref,
    Value,
)


class SnapshotOffer(Value):
    """The offer that is out."""

    offer_id: UUID
    agent_id: Ref
    expires_at: Moment


class SnapshotPromise(Value):
    """One promise and where it stands."""

    promise_id: UUID
    what: PersonalText
    due_at: Moment
    state: Name


class CaseSnapshot(Message, type="caseloop.case.snapshot.v1"):
    """All current fields of a case as of ``version``."""

    topic: ClassVar[str] = "case.snapshots"
    key_field: ClassVar[str] = "case_id"
    case_id: UUID
    case_number: Ref
    record_no: Ref
    version: int
    state: CaseState
    hash: Hash
    policy: PolicyRef
    opened_at: Moment
    updated_at: Moment
    customer: Customer
    contact: Contact
    text: PersonalText
    facts: Facts = {}
    classification: Classification
    priority: Priority
    department: Name
    skills: dict[Name, Level] = {}
    agent_id: Ref | None = None
    offer: SnapshotOffer | None = None
    supervisor_needed: bool = False
    promises: tuple[SnapshotPromise, ...] = ()
    milestones: tuple[Name, ...] = ()
    links: tuple[CaseLink, ...] = ()
    resolution: PersonalText | None = None
    cycle: int
    merged_into: UUID | None = None
