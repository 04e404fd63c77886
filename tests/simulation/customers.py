"""What do customers do? They write, call, write again elsewhere, answer or not, and pick up the phone or not."""

import base64
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import get_args

from contracts.channel import (
    CallbackRequested,
    CallReported,
    ConversationEnded,
    ConversationStarted,
    DeliveryReported,
    EmailReceived,
    MessageReceived,
)
from contracts.desk import ConfirmResolution
from contracts.message import Message
from contracts.notify import OutboundCallRequested, OutboundMessageRequested
from contracts.router import CaseInformationRequested, CaseOpened, CaseResolved
from contracts.values import Actor, CallOutcome, Channel, Party
from tests.simulation.outside import Outside
from tests.simulation.plot import HOUR, Plot
from tests.simulation.world import World

CHANNELS: tuple[Channel, ...] = get_args(Channel)
OUTCOMES: tuple[CallOutcome, ...] = get_args(CallOutcome)
WORDS = (
    "The app shows error code ERR-500 and a white page after login, it is broken since this morning",
    "Where is my parcel? Order SO-20260042 should have been delivered last week",
    "I want to complain! Your support was rude to me. This is unacceptable.",
    "Please refund my money, I was charged twice for order SO-20260077",
    "我们公司的系统全部瘫痪了，所有门店都无法营业，请马上处理！",
    "How can I change my address?",
    "The battery of your charger caught fire and my son is burned, we need help",
    "I want to return the shoes and my invoice is wrong, too",
)


@dataclass(slots=True)
class Customers:
    """All customers of one run."""

    world: World
    outside: Outside
    plot: Plot
    cases: dict[str, tuple[Channel, str, int]] = field(default_factory=dict)
    """Case to channel, conversation and customer."""
    of_conversation: dict[str, int] = field(default_factory=dict)
    events: int = 0

    def live(self) -> None:
        """Plan who will write when: mostly soon, some at night and on the weekend, some at once on two channels."""
        chance = self.world.chance
        first, last = 0.1 * HOUR, self.plot.last_contact
        for contact in range(self.plot.contacts):
            early = chance.random() < 0.75
            second = chance.uniform(first, min(last, 8 * HOUR) if early else last)
            customer = chance.randrange(8)
            self._contact_at(second, contact, customer)
            if chance.random() < 0.25:
                self._contact_at(second + chance.choice((0.0, 0.001, 5.0, 600.0)), contact + 100, customer)

    def hear(self, message: Message) -> None:
        """React to what is said in public, or to this customer."""
        match message:
            case CaseOpened():
                customer = self.of_conversation.get(message.contact.conversation_id, 0)
                place = (message.contact.channel, message.contact.conversation_id, customer)
                self.cases[str(message.case_id)] = place
            case CaseInformationRequested():
                self._write_later(str(message.case_id), "it is order SO-20260042", 0.7)
            case CaseResolved():
                self._judge(message)
            case OutboundMessageRequested():
                self._delivered(message)
            case OutboundCallRequested():
                self._picked_up(message)
            case _:
                pass

    def _contact_at(self, second: float, contact: int, customer: int) -> None:
        self.world.at(second, lambda: self._contact(contact, customer))

    def _contact(self, contact: int, customer: int) -> None:
        chance = self.world.chance
        channel = chance.choice(CHANNELS)
        conversation = f"{self.world.seed}-{contact}"
        self.of_conversation[conversation] = customer
        words = chance.choice(WORDS)
        if channel == "email":
            self._mail(conversation, customer, words)
            return
        if channel in {"phone", "chat"}:
            self._say(
                ConversationStarted(
                    channel=channel, conversation_id=conversation, from_=(_phone(customer),), to="hotline"
                )
            )
        self._write(channel, conversation, customer, words)
        if channel == "phone":
            ended = ConversationEnded(
                channel=channel, conversation_id=conversation, ended_by="customer", duration_seconds=90
            )
            self.world.after(chance.uniform(10, 300), lambda: self._say(ended))
        if chance.random() < 0.15:
            wish = CallbackRequested(channel=channel, conversation_id=conversation, phone=_phone(customer).value)
            self.world.after(chance.uniform(1, 1200), lambda: self._say(wish))

    def _write(self, channel: Channel, conversation: str, customer: int, words: str) -> None:
        self._say(
            MessageReceived(
                channel=channel,
                conversation_id=conversation,
                message_id=f"m-{self.world.seed}-{self.events}",
                author="customer",
                from_=(_phone(customer),),
                text=words,
            )
        )

    def _mail(self, conversation: str, customer: int, words: str) -> None:
        mail = EmailMessage()
        mail["From"] = f"c{customer}@example.org"
        mail["To"] = "help@example.com"
        mail["Subject"] = words[:30]
        mail["Message-ID"] = f"<{conversation}-{self.events}@example.org>"
        mail.set_content(words)
        self._say(EmailReceived(channel="email", raw_base64=base64.b64encode(mail.as_bytes()).decode()))

    def _write_later(self, case_id: str, words: str, likely: float) -> None:
        chance = self.world.chance
        channel, conversation, customer = self.cases.get(case_id, ("chat", "", 0))
        if chance.random() < likely and channel != "email" and conversation:
            delay = chance.choice((2.0, 300.0, 9 * HOUR))
            self.world.after(delay, lambda: self._write(channel, conversation, customer, words))

    def _judge(self, resolved: CaseResolved) -> None:
        chance = self.world.chance
        drawn = chance.random()
        if drawn < 0.5:
            verdict = ConfirmResolution(
                case_id=resolved.case_id, by=Actor(kind="customer", id="customer"), solved=drawn < 0.4
            )
            self.world.after(chance.uniform(10, 3 * HOUR), lambda: self._say(verdict))
        elif drawn < 0.7:
            self._write_later(str(resolved.case_id), chance.choice(("yes", "no", "still broken")), 1.0)

    def _delivered(self, message: OutboundMessageRequested) -> None:
        chance = self.world.chance
        report = DeliveryReported(delivery_id=message.delivery_id, status="delivered", at=self.world.now())
        self.world.after(chance.uniform(0.1, 30), lambda: self._say(report))
        if message.purpose == "survey" and message.case_id is not None:
            self._write_later(str(message.case_id), chance.choice(("5 5 5 5", "1 1 2 1")), 0.6)

    def _picked_up(self, call: OutboundCallRequested) -> None:
        chance = self.world.chance
        outcome = "answered" if chance.random() < 0.5 else chance.choice(OUTCOMES)
        report = CallReported(
            callback_id=call.callback_id,
            attempt=call.attempt,
            outcome=outcome,
            solved=chance.random() < 0.7 if outcome == "answered" else None,
            at=self.world.now(),
        )
        if chance.random() < 0.9:  # an exchange may forget to report
            self.world.after(chance.uniform(5, 120), lambda: self._say(report))

    def _say(self, message: Message) -> None:
        self.events += 1
        self.outside.say(message, f"customer-{self.events}")


def _phone(customer: int) -> Party:
    return Party(kind="phone", value=f"+861380000{customer:04}")
