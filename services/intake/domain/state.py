"""What does intake remember: people, conversations, cases, surveys?"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from contracts.policy.classification import Threading
from contracts.values import OVER, CaseState, Channel, Severity, Tier
from services.intake.domain.scope import ConversationKey

Identifier = tuple[str, str]
"""Kind and value, normalised."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer; ``root`` is whom this one was merged into, else the customer itself (R4)."""

    customer_id: UUID
    root: UUID
    created_at: datetime
    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    tier: Tier = "standard"
    churn_flag: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """Two customers turned out to be one; ``moved`` is what an undo sets back."""

    merge_id: UUID
    survivor: UUID
    merged: UUID
    moved: tuple[UUID, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat, a call, a thread of e-mails: what the channel holds together."""

    conversation_id: ConversationKey
    channel: Channel
    customer_id: UUID
    contact_id: UUID
    started_at: datetime
    last_at: datetime
    version: int = 0
    """Of the row as loaded; 0 for a new one."""
    to: str | None = None
    language: str | None = None
    agent_id: str | None = None
    subject: str | None = None
    ended: bool = False
    greeted: bool = False
    prompted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A case as far as intake needs it."""

    case_id: UUID
    case_number: str
    customer_id: UUID
    conversation_id: ConversationKey
    category: str
    scenario: str
    severity: Severity
    safety: bool
    opened_at: datetime
    state: CaseState = "new"
    """``new``: proposed, not yet seen in the journal."""
    version: int = 0
    order_no: str | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    merged_into: UUID | None = None
    primary_of: str | None = None
    subject_slot: str | None = None

    def is_live(self, now: datetime, policy: Threading) -> bool:
        """Tell whether words can be added: not ended, and not a proposal that the journal never took up."""
        trusted = timedelta(seconds=policy.proposal_trust_seconds)
        return self.state not in OVER and not (self.state == "new" and now - self.opened_at > trusted)

    def is_reopenable(self, now: datetime, policy: Threading) -> bool:
        """Tell whether a reply still reopens the closed case (L1)."""
        window = timedelta(seconds=policy.reopen_window_seconds)
        return self.state == "closed" and self.closed_at is not None and now - self.closed_at <= window


@dataclass(frozen=True, slots=True)
class OpenSurvey:
    """A survey that waits for its answer (F4)."""

    survey_id: UUID
    case_id: UUID
    customer_id: UUID
    conversation_id: ConversationKey | None
    channel: Channel
    sent_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """What is only counted of a customer."""

    cases: int = 0
    complaints: int = 0
    """Within the window of the policy (C6)."""


@dataclass(slots=True)
class Book:
    """Everything a batch needs, loaded at once and changed in memory, so that its messages see each other."""

    people: dict[UUID, Person] = field(default_factory=dict)
    identifiers: dict[Identifier, UUID] = field(default_factory=dict)
    conversations: dict[ConversationKey, Conversation] = field(default_factory=dict)
    cases: dict[UUID, KnownCase] = field(default_factory=dict)
    surveys: dict[UUID, OpenSurvey] = field(default_factory=dict)
    threads: dict[str, ConversationKey] = field(default_factory=dict)
    senders: dict[str, int] = field(default_factory=dict)
    past: dict[UUID, Past] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    families: dict[UUID, set[UUID]] = field(default_factory=dict)
    """Root to all customers merged into it, itself included."""
    identifiers_of: dict[UUID, list[Identifier]] = field(default_factory=dict)
    """By root, in the order in which they became known."""
    cases_of_conversation: dict[ConversationKey, list[UUID]] = field(default_factory=dict)
    cases_of_customer: dict[UUID, list[UUID]] = field(default_factory=dict)
    """By the customer the case names, which may since have been merged."""

    def add_person(self, person: Person) -> None:
        """Remember a person."""
        self.people[person.customer_id] = person
        self.families.setdefault(person.root, set()).add(person.customer_id)

    def add_identifier(self, identifier: Identifier, customer_id: UUID) -> None:
        """Remember whose identifier this is."""
        self.identifiers[identifier] = customer_id
        self.identifiers_of.setdefault(self.root_of(customer_id), []).append(identifier)

    def add_case(self, case: KnownCase) -> None:
        """Remember a case."""
        if case.case_id not in self.cases:
            self.cases_of_conversation.setdefault(case.conversation_id, []).append(case.case_id)
            self.cases_of_customer.setdefault(case.customer_id, []).append(case.case_id)
        self.cases[case.case_id] = case

    def root_of(self, customer_id: UUID) -> UUID:
        """Return the customer that this one goes by."""
        person = self.people.get(customer_id)
        return customer_id if person is None else person.root

    def conversation_cases(self, conversation_id: ConversationKey) -> list[KnownCase]:
        """Return the cases of a conversation, oldest first; a merged one stands for the case it went into."""
        cases = (self.survivor(self.cases[each]) for each in self.cases_of_conversation.get(conversation_id, ()))
        return sorted({case.case_id: case for case in cases}.values(), key=lambda case: case.opened_at)

    def survivor(self, case: KnownCase) -> KnownCase:
        """Return the case in which this one goes on after however many merges, itself when it was not merged."""
        passed: set[UUID] = set()
        while case.merged_into in self.cases and case.case_id not in passed:
            passed.add(case.case_id)
            case = self.cases[case.merged_into]
        return case

    def customer_cases(self, root: UUID) -> list[KnownCase]:
        """Return the cases of a person under all identities, oldest first."""
        ids = (
            case_id for member in self.families.get(root, {root}) for case_id in self.cases_of_customer.get(member, ())
        )
        return sorted((self.cases[case_id] for case_id in ids), key=lambda case: case.opened_at)

    def past_of(self, root: UUID) -> Past:
        """Return the counts of a person under all identities."""
        pasts = [self.past[member] for member in self.families.get(root, {root}) if member in self.past]
        return Past(sum(past.cases for past in pasts), sum(past.complaints for past in pasts))
