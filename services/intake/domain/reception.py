"""What does intake make of each channel event, given all it remembers?

The book is changed as messages are received, so that two messages of one conversation in one batch see each other.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from contracts.channel import CallbackRequested, ChannelMessage, ConversationEnded, ConversationStarted
from contracts.intake import (
    ContactCallbackRequested,
    ContactEnded,
    ContactMessage,
    ContactReceived,
    ContactStarted,
    ProposedDemand,
)
from contracts.policy import Policy
from contracts.values import TEXT_MAX, Cause
from services.intake.domain import people
from services.intake.domain.answers import NONE, answer_of
from services.intake.domain.cases import Proposal, proposed
from services.intake.domain.classification import Rulebook
from services.intake.domain.conversations import Entry, enter
from services.intake.domain.demands import Wish, understander
from services.intake.domain.facts import facts_of, order_pattern
from services.intake.domain.hearing import (
    Common,
    Heard,
    asked_elsewhere,
    asks_for_choice,
    case_of_token,
    only_case,
    to_greet,
    with_token,
)
from services.intake.domain.ignored import ignored, ignored_reason
from services.intake.domain.incoming import Incoming, Words, incoming, with_facts, words_of
from services.intake.domain.placement import Placed, Placement, Surroundings, agents_words, place
from services.intake.domain.replies import opts_out, reply_reader
from services.intake.domain.state import Book


class Reception:
    """Understands channel events by one policy pack."""

    __slots__ = ("_orders", "_replies", "_understood", "policy")

    def __init__(self, policy: Policy) -> None:
        """Compile the pack once."""
        self.policy = policy
        self._understood = understander(Rulebook(policy.classification))
        self._replies = reply_reader(policy.classification.replies)
        self._orders = order_pattern(policy.classification.order_numbers)

    def read(self, message: ChannelMessage, message_id: UUID, cause: Cause, at: datetime) -> Incoming:
        """Return a channel event made comparable, before anything is looked up."""
        rules = self.policy.classification
        return with_facts(incoming(message, message_id, cause, at, rules), self._orders)

    def receive(self, book: Book, item: Incoming, now: datetime) -> tuple[ContactMessage, ...]:
        """Return what is to be said about one channel event, and write into the book what it changes."""
        reason = ignored_reason(book, item, self.policy.classification.mail)
        if reason is not None:
            return (ignored(book, item, self.policy, reason, now),)
        words = words_of(item)
        entry = enter(book, item, words, self.policy)
        match item.message:
            case ConversationStarted():
                return self._started(book, item, entry, now)
            case ConversationEnded():
                return self._ended(book, item, entry, now)
            case CallbackRequested():
                return self._callback(book, item, entry, now)
            case _:
                begun = self._started(book, item, entry, now) if to_greet(entry, words) else ()
                return (*begun, self._received(book, item, entry, words, now))

    def _common(self, book: Book, item: Incoming, entry: Entry, now: datetime) -> Common:
        identity = self.policy.classification.identity
        return {
            "contact": entry.contact,
            "customer": people.customer_of(book, entry.customer, identity, entry.language),
            "occurred_at": now,
            "policy": self.policy.ref,
            "cause": item.cause,
        }

    def _started(self, book: Book, item: Incoming, entry: Entry, now: datetime) -> tuple[ContactMessage, ...]:
        """Greet a contact once (R2); a repeated start of a running contact says nothing new."""
        conversation = book.conversations[item.conversation_id]
        if conversation.greeted:
            return ()
        book.conversations[item.conversation_id] = replace(conversation, greeted=True)
        rules = self.policy.classification
        history = people.history_of(book, entry.customer, frozenset(), now, rules.identity, rules.threading)
        common = self._common(book, item, entry, now)
        return (ContactStarted(**common, agent_id=conversation.agent_id, history=history),)

    def _ended(self, book: Book, item: Incoming, entry: Entry, now: datetime) -> tuple[ContactMessage, ...]:
        message = item.message
        if not isinstance(message, ConversationEnded):
            return ()
        book.conversations[item.conversation_id] = replace(book.conversations[item.conversation_id], ended=True)
        threading = self.policy.classification.threading
        live = [case for case in book.conversation_cases(item.conversation_id) if case.is_live(now, threading)]
        return (
            ContactEnded(
                **self._common(book, item, entry, now),
                ended_by=message.ended_by,
                duration_seconds=message.duration_seconds,
                cases=tuple(case.case_id for case in live),
            ),
        )

    def _callback(self, book: Book, item: Incoming, entry: Entry, now: datetime) -> tuple[ContactMessage, ...]:
        """Hang the call on the open case of the conversation, else on a new one named by its purpose (A4, F2)."""
        message = item.message
        if not isinstance(message, CallbackRequested):
            return ()
        rules = self.policy.classification
        live = [case for case in book.conversation_cases(item.conversation_id) if case.is_live(now, rules.threading)]
        common = self._common(book, item, entry, now)
        history = people.history_of(book, entry.customer, frozenset(), now, rules.identity, rules.threading)
        demand = None if live else self._purpose(book, item, entry, now, message.purpose or "")
        case_id = live[0].case_id if demand is None else demand.case_id
        return (
            ContactCallbackRequested(
                **common,
                phone=message.phone,
                preferred_at=message.preferred_at,
                time_zone=message.time_zone,
                purpose=message.purpose,
                case_id=case_id,
                demand=demand,
                history=history,
            ),
        )

    def _purpose(self, book: Book, item: Incoming, entry: Entry, now: datetime, text: str) -> ProposedDemand:
        wish = Wish(text, self._understood(text).gravest, marked=False)
        return self._proposed(book, item, entry, now, (Placed(wish, "opens"),), facts_of(text, self._orders))[0]

    def _proposed(
        self,
        book: Book,
        item: Incoming,
        entry: Entry,
        now: datetime,
        demands: tuple[Placed, ...],
        facts: Mapping[str, str],
    ) -> tuple[ProposedDemand, ...]:
        conversation = book.conversations[item.conversation_id]
        proposal = Proposal(
            book,
            self.policy.vocabulary,
            conversation,
            entry.customer,
            item.message_id,
            facts,
            now,
        )
        return proposed(proposal, demands)

    def _received(self, book: Book, item: Incoming, entry: Entry, words: Words, now: datetime) -> ContactMessage:
        if words.author == "agent":
            joins = agents_words(
                book.conversation_cases(item.conversation_id),
                now,
                self.policy.classification.threading,
            )
            return ContactReceived(
                **self._common(book, item, entry, now),
                author="agent",
                agent_id=words.agent_id,
                text=words.text[:TEXT_MAX],
                attachments=words.attachments,
                joins=joins,
            )
        heard = self._hear(book, item, entry, words, now)
        return self._said(book, item, entry, words, heard, now)

    def _said(
        self,
        book: Book,
        item: Incoming,
        entry: Entry,
        words: Words,
        heard: Heard,
        now: datetime,
    ) -> ContactMessage:
        rules = self.policy.classification
        placement, answer = heard.placement, heard.answer
        categories = frozenset(placed.wish.classification.category for placed in placement.demands)
        history = people.history_of(book, entry.customer, categories, now, rules.identity, rules.threading)
        demands = self._proposed(book, item, entry, now, placement.demands, item.facts)
        choice = asks_for_choice(book, item, heard)
        if choice or demands:  # a stated need ends the prompt: a later "1" answers something else (R3)
            _prompt(book, item, now if choice else None)
        common = self._common(book, item, entry, now)
        common["contact"] = with_token(book, common["contact"], demands, placement.joins)
        return ContactReceived(
            **common,
            author="customer",
            agent_id=words.agent_id or book.conversations[item.conversation_id].agent_id,
            text=words.text[:TEXT_MAX],
            attachments=words.attachments,
            history=history,
            demands=demands,
            joins=placement.joins,
            choice_needed=choice,
            survey_answer=answer.survey,
            confirmation=answer.confirmation,
        )

    def _hear(self, book: Book, item: Incoming, entry: Entry, words: Words, now: datetime) -> Heard:
        understanding = self._understood(words.judged)
        conversation = book.conversations[item.conversation_id]
        if conversation.channel == "sms" and opts_out(self._replies, words.judged):
            return Heard(Placement(), NONE, replace(understanding, stopped=True))
        token = case_of_token(book, item.token)
        answer = answer_of(self._replies, book, conversation, entry.customer, understanding, token, now)
        if answer.placement is not None:
            return Heard(answer.placement, answer, understanding)
        threading = self.policy.classification.threading
        around = Surroundings(
            conversation=book.conversation_cases(item.conversation_id),
            customer=book.customer_cases(entry.customer),
            token=token,
            continuing=entry.continuing,
            order_no=item.facts.get("order_no"),
            now=now,
            waiting=asked_elsewhere(book, conversation.channel, entry.customer),
            only=only_case(book, conversation.channel, entry.customer, now, threading),
        )
        return Heard(place(understanding, around, threading), NONE, understanding)


def _prompt(book: Book, item: Incoming, prompted_at: datetime | None) -> None:
    """Write down since when a choice waits for its answer; hardly ever does one."""
    conversation = book.conversations[item.conversation_id]
    if conversation.prompted_at != prompted_at:
        book.conversations[item.conversation_id] = replace(conversation, prompted_at=prompted_at)
