"""Which e-mail is kept visible but never treated as a customer's words (R2, R8)?"""

from datetime import datetime
from typing import Literal

from contracts.intake import ContactIgnored
from contracts.message import derived_id
from contracts.policy import Policy
from contracts.policy.classification import Mail as MailPolicy
from contracts.values import Contact, Customer, Party
from services.intake.domain.incoming import Incoming
from services.intake.domain.people import customer_of
from services.intake.domain.scope import gateway_id
from services.intake.domain.state import Book

Reason = Literal["automatic", "bounce", "mailing_list", "loop", "own_message"]


def ignored_reason(book: Book, item: Incoming, policy: MailPolicy) -> Reason | None:
    """Return why a mail is not a customer's, counting the mails of each sender on the way."""
    mail = item.mail
    if mail is None:
        return None
    if mail.automatic is not None:
        return mail.automatic
    if mail.from_address is None:
        return None
    book.senders[mail.from_address] = book.senders.get(mail.from_address, 0) + 1
    return "loop" if book.senders[mail.from_address] > policy.loop_mails_per_hour else None


def ignored(book: Book, item: Incoming, policy: Policy, reason: Reason, now: datetime) -> ContactIgnored:
    """Return what is said of a mail that is not answered."""
    contact = Contact(
        contact_id=item.message_id,
        conversation_id=gateway_id(item.conversation_id),
        channel="email",
        received_at=item.at,
        in_reply_to=item.mail.message_id if item.mail else None,
        subject=item.mail.subject if item.mail else None,
    )
    return ContactIgnored(
        contact=contact,
        customer=_stranger(book, item, policy),
        occurred_at=now,
        policy=policy.ref,
        cause=item.cause,
        reason=reason,
    )


def _stranger(book: Book, item: Incoming, policy: Policy) -> Customer:
    """Return the known customer behind an ignored mail, else a name for its sender that nobody remembers."""
    rules = policy.classification
    known = next((book.identifiers[found] for found in item.identifiers if found in book.identifiers), None)
    if known is not None:
        customer = book.root_of(known)
        return customer_of(book, customer, rules.identity, book.people[customer].language or policy.languages[0])
    sender = item.mail.from_address if item.mail else None
    parties = (Party(kind="email", value=sender),) if sender else ()
    return Customer(
        customer_id=derived_id("customer", "ignored", sender or item.message_id),
        parties=parties,
        language=policy.languages[0],
    )
