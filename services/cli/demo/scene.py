"""What is a scenario, and how does it say what it expects?"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from contracts.channel import CallbackRequested, ConversationStarted, MessageReceived
from contracts.desk import Command
from contracts.message import Message
from contracts.router import CaseAssigned, CaseOpened
from contracts.values import Actor, Channel, Party
from services.cli.demo.stage import Stage

PATIENCE_SECONDS = 30.0
Kind = TypeVar("Kind", bound=Message)


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was expected and seen."""

    what: str
    clauses: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Scene:
    """One scenario on the stage: short words for what gateways, customers and agents do."""

    name: str
    title: str
    stage: Stage
    checks: list[Check] = field(default_factory=list)
    waiting_for: str = ""
    failure: str | None = None
    done: bool = False
    case_number: str = ""
    state: str = ""

    @property
    def conversation(self) -> str:
        """Return the id of the scenario's main conversation."""
        return f"demo-{self.stage.run}-{self.name}"

    async def expect(
        self,
        what: str,
        kind: type[Kind],
        where: Callable[[Kind], bool],
        *clauses: str,
        seconds: float = PATIENCE_SECONDS,
        count: int = 1,
    ) -> Kind:
        """Wait for a message and note it as seen."""
        began, self.waiting_for = self.stage.now(), what
        found = await self.stage.until(kind, where, seconds, count)
        self.checks.append(Check(what, clauses, (self.stage.now() - began).total_seconds()))
        self.waiting_for = ""
        return found

    async def of_case(self, what: str, kind: type[Kind], case_id: UUID, *clauses: str, count: int = 1) -> Kind:
        """Wait for a message about one case."""
        return await self.expect(
            what, kind, lambda each: getattr(each, "case_id", None) == case_id, *clauses, count=count
        )

    def note(self, what: str, *clauses: str) -> None:
        """Note something that was checked without waiting."""
        self.checks.append(Check(what, clauses, 0.0))

    async def connect(self, channel: Channel, party: Party, **more: str) -> None:
        """Begin a conversation, as an exchange or a chat widget does."""
        started = ConversationStarted(
            channel=channel, conversation_id=self.conversation, from_=(party,), to="service", **more
        )
        await self.stage.publish(started)

    async def say(  # a sentence: where, who, what
        self,
        channel: Channel,
        party: Party,
        text: str,
        *,
        language: str | None = None,
        conversation: str | None = None,
        event_id: str | None = None,
    ) -> str:
        """Let the customer say something and return the event's id; give an earlier id to repeat that event."""
        message = MessageReceived(
            channel=channel,
            conversation_id=conversation or self.conversation,
            message_id=self.stage.next_id(),
            author="customer",
            from_=(party,),
            text=text,
            language=language,
        )
        return await self.stage.publish(message, event_id)

    async def ask_for_call(self, channel: Channel, phone: str) -> None:
        """Let the customer ask to be called back."""
        await self.stage.publish(CallbackRequested(channel=channel, conversation_id=self.conversation, phone=phone))

    async def command(self, command: Command) -> None:
        """Publish a command."""
        await self.stage.publish(command)

    async def opened(self, *clauses: str, conversation: str | None = None, count: int = 1) -> CaseOpened:
        """Wait for the case of the conversation."""
        wanted = conversation or self.conversation
        case = await self.expect(
            "the case is opened", CaseOpened, lambda each: each.contact.conversation_id == wanted, *clauses, count=count
        )
        self.case_number = case.case_number
        return case

    async def assigned(self, case: CaseOpened, *clauses: str, count: int = 1) -> CaseAssigned:
        """Wait for its named handler."""
        return await self.of_case("it has a named handler", CaseAssigned, case.case_id, *clauses, count=count)


def agent(assigned: CaseAssigned) -> Actor:
    """Return the handler as the one who acts."""
    return Actor(kind="agent", id=assigned.agent_id)


CUSTOMER = Actor(kind="customer", id="customer")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named play."""

    name: str
    title: str
    play: Callable[[Scene], Awaitable[None]]


SCENARIOS: dict[str, Scenario] = {}


def scenario(title: str) -> Callable[[Callable[[Scene], Awaitable[None]]], Callable[[Scene], Awaitable[None]]]:
    """Register a play under its function's name."""

    def register(play: Callable[[Scene], Awaitable[None]]) -> Callable[[Scene], Awaitable[None]]:
        SCENARIOS[play.__name__] = Scenario(play.__name__, title, play)
        return play

    return register
