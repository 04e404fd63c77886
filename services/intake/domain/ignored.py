"""Which e-mail is kept visible but never treated as a customer's words (R2, R8)?"""

from typing import Literal

from contracts.message import derived_id
from contracts.policy import Policy
from contracts.policy.classification import Mail as MailPolicy
from contracts.values import Customer, Party
from services.intake.domain.incoming import Incoming
from services.intake.domain.people import customer_of
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


def stranger(book: Book, item: Incoming, policy: Policy) -> Customer:
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
