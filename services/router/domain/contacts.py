"""What does a contact do to cases: open, add, answer, confirm, reopen, continue? (R7, R8, L1, F3)"""

from dataclasses import dataclass, replace
from uuid import UUID

from contracts.intake import ContactCallbackRequested, ContactReceived, ProposedDemand
from contracts.message import derived_id
from contracts.router import CaseContactAttached, CaseInformationReceived
from contracts.router.opening import CaseLink
from contracts.values import Actor
from services.router.domain.caring import called_back
from services.router.domain.case import Case, evolve
from services.router.domain.closing import in_reopen_window, reopened, verdict
from services.router.domain.cooperation import resumed
from services.router.domain.journal import Decision, Occasion, View, nothing, stamp, tell
from services.router.domain.opening import Opening, open_case, unclassified


@dataclass(frozen=True, slots=True)
class Unknown:
    """The contact belongs to a case that is not here yet: its opening is still on the way, on another partition."""

    case_id: UUID


def speaker(contact: ContactReceived | ContactCallbackRequested) -> Actor:
    """Return who spoke."""
    if isinstance(contact, ContactReceived) and contact.author == "agent":
        return Actor(kind="agent", id=contact.agent_id or "unknown")
    return Actor(kind="customer", id=str(contact.customer.customer_id))


def cases_of(contact: ContactReceived | ContactCallbackRequested) -> set[UUID]:
    """Return every case that this contact may touch."""
    if isinstance(contact, ContactCallbackRequested):
        proposed = (contact.demand,) if contact.demand else ()
        return {contact.case_id, *_ids(proposed)}
    confirmed = (contact.confirmation.case_id,) if contact.confirmation else ()
    return {*contact.joins, *confirmed, *_ids(contact.demands)}


def received(contact: ContactReceived, occasion: Occasion, view: View) -> tuple[Decision, ...] | Unknown:
    """Open what is new, add to what is known; every case is touched once."""
    added = {each.case_id for each in contact.demands if _is_known(each, view)} | set(contact.joins)
    if contact.confirmation is not None:
        added.add(contact.confirmation.case_id)
    fresh = [each for each in contact.demands if each.case_id not in added]
    siblings = [each.case_id for each in fresh]
    decisions: list[Decision] = []
    for case_id in sorted(added, key=str):
        case = survivor(case_id, view)
        if case is None:
            return Unknown(case_id)
        if all(decided.case.case_id != case.case_id for decided in decisions):
            decisions.append(added_to(case, contact, occasion, view))
    decisions += [_opened(each, contact, siblings, occasion, view) for each in fresh]
    return tuple(decisions)


def survivor(case_id: UUID, view: View) -> Case | None:
    """Return the case in which this one goes on after merges, itself when it was not merged."""
    case = view.cases.get(case_id)
    passed: set[UUID] = set()
    while case is not None and case.merged_into is not None and case.case_id not in passed:
        passed.add(case.case_id)
        case = view.cases.get(case.merged_into)
    return case


def added_to(case: Case, contact: ContactReceived, occasion: Occasion, view: View) -> Decision:
    """Add these words to a case, with what they mean in its state (R8)."""
    if case.state == "closed" and contact.author == "customer" and not in_reopen_window(case, occasion):
        return _continued(case, contact, occasion, view)
    own = _of_the_customer(case, contact)
    known = evolve(case, contact=contact.contact, customer=contact.customer) if own else case
    if case.state == "waiting_customer" and contact.author == "customer":
        known = resumed(known, occasion)
        if own:
            return tell(
                known,
                CaseInformationReceived(
                    **stamp(known, occasion),
                    contact=contact.contact,
                    text=contact.text,
                ),
            )
    attached = tell(
        known,
        CaseContactAttached(
            **stamp(known, occasion),
            contact=contact.contact,
            customer=known.customer,
            author=contact.author,
            text=contact.text,
            attachments=contact.attachments,
        ),
    )
    if case.state not in {"solved", "closed"} or contact.author == "agent":
        return attached
    return attached.then(lambda current: _after_the_end(current, contact, own, occasion))


def _after_the_end(case: Case, contact: ContactReceived, own: bool, occasion: Occasion) -> Decision:
    """Take words on a case that was solved: only its customer's yes ends it; anybody's no makes somebody look again."""
    answer = contact.confirmation
    if answer is None or answer.case_id != case.case_id:
        return reopened(case, contact.text, False, occasion)
    if own:
        return verdict(case, answer.solved, contact.text, occasion)
    return nothing(case) if answer.solved else reopened(case, contact.text, False, occasion)


def _of_the_customer(case: Case, contact: ContactReceived) -> bool:
    """Tell whether the case's own customer is in this contact, and not somebody who knows the case's number or thread.

    Somebody else's words are kept, and answered to nobody: the case stays its customer's, who alone hears of it. An
    order number proves nothing here, since it may stand in anybody's words.
    """
    mine, theirs = case.customer, contact.customer
    if mine.customer_id == theirs.customer_id:
        return True
    known = {(party.kind, party.value) for party in mine.parties if party.kind != "order"}
    if not known:
        here, there = case.contact, contact.contact  # an id is a conversation's on its channel only
        return (here.channel, here.conversation_id) == (there.channel, there.conversation_id)
    return any((party.kind, party.value) in known for party in theirs.parties)


def callback_requested(
    contact: ContactCallbackRequested,
    occasion: Occasion,
    view: View,
) -> tuple[Decision, ...] | Unknown:
    """Promise the call, on the case of the conversation or on a new one (A4, F2)."""
    case = survivor(contact.case_id, view)
    if case is not None:
        begun = Decision(evolve(case, contact=contact.contact, customer=contact.customer))
    elif contact.demand is not None:
        opening = Opening(contact.case_id, contact.customer, contact.contact, contact.history, contact.demand.demand)
        begun = open_case(opening, occasion, view)
    else:
        return Unknown(contact.case_id)
    return (
        begun.then(
            lambda current: called_back(current, "requested", contact.preferred_at, None, contact.phone, occasion),
        ),
    )


def _opened(
    proposed: ProposedDemand,
    contact: ContactReceived,
    siblings: list[UUID],
    occasion: Occasion,
    view: View,
) -> Decision:
    links = [CaseLink(case_id=other, relation="same_contact") for other in siblings if other != proposed.case_id]
    if proposed.follows is not None and proposed.follows in view.cases:
        links.append(CaseLink(case_id=proposed.follows, relation="follow_up"))
    return open_case(_opening(contact, proposed.case_id, tuple(links), proposed), occasion, view)


def _opening(
    contact: ContactReceived,
    case_id: UUID,
    links: tuple[CaseLink, ...],
    proposed: ProposedDemand,
) -> Opening:
    return Opening(
        case_id,
        contact.customer,
        contact.contact,
        contact.history,
        proposed.demand,
        links,
        contact.agent_id,
    )


def _continued(case: Case, contact: ContactReceived, occasion: Occasion, view: View) -> Decision:
    """Open a case that continues one whose reopen window is over (L1)."""
    demand_id = derived_id(occasion.cause_id, "follow_up", case.case_id)
    demand = unclassified(case, contact.text, demand_id, occasion.policy.ref)
    proposed = ProposedDemand(
        demand=demand,
        case_id=derived_id("case", demand_id),
        relation="follows_up",
        follows=case.case_id,
    )
    link = CaseLink(case_id=case.case_id, relation="follow_up")
    handlers = {**view.handlers, **({case.case_id: case.agent_id} if case.agent_id else {})}
    return open_case(_opening(contact, proposed.case_id, (link,), proposed), occasion, replace(view, handlers=handlers))


def _is_known(proposed: ProposedDemand, view: View) -> bool:
    return proposed.relation == "joins" or proposed.case_id in view.cases


def _ids(proposed: tuple[ProposedDemand, ...]) -> set[UUID]:
    return {each.case_id for each in proposed} | {each.follows for each in proposed if each.follows is not None}
