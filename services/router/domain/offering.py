"""How does a queued case get a named agent, and how does it come back? (A1, A2, A7)"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from contracts.channel import AgentProfileSet
from contracts.desk import AcceptOffer, DeclineOffer
from contracts.message import derived_id
from contracts.router import CaseAssigned, CaseOffered, CaseOfferEnded, CaseReleased, CaseReprioritised, DecisionRecord
from services.router.domain.case import Case, Offer, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, nothing, stamp, tell
from services.router.domain.priority import priority


@dataclass(frozen=True, slots=True)
class Pick:
    """The agent that a round of matching chose for a case, and why."""

    agent: AgentProfileSet
    decision: DecisionRecord


def give(case: Case, pick: Pick, occasion: Occasion) -> Decision:
    """Offer the case, or assign it at once to an agent with ``auto_accept``; the decision record goes with it."""
    if pick.agent.auto_accept:
        return _assigned(case, pick.agent, pick.decision, occasion)
    offers = occasion.policy.routing.offers
    channel = case.contact.channel
    seconds = offers.live_seconds if channel in offers.live_channels else offers.deferred_seconds
    offer = Offer(
        offer_id=derived_id(case.case_id, "offer", case.offers + 1),
        agent_id=pick.agent.agent_id,
        agent_name=pick.agent.name,
        agent_number=pick.agent.number,
        expires_at=occasion.now + timedelta(seconds=seconds),
    )
    after = evolve(case, state="offered", offer=offer, offers=case.offers + 1, held_channel=channel)
    return tell(
        after,
        CaseOffered(
            **stamp(after, occasion),
            offer_id=offer.offer_id,
            agent_id=offer.agent_id,
            expires_at=offer.expires_at,
            decision=pick.decision,
        ),
    )


def _assigned(case: Case, agent: AgentProfileSet, decision: DecisionRecord, occasion: Occasion) -> Decision:
    after = evolve(
        case,
        state="assigned",
        agent_id=agent.agent_id,
        held_channel=case.contact.channel,
        preferred_agent_id=None,
        worked_at=occasion.now,
    )
    return tell(
        after,
        CaseAssigned(
            **stamp(after, occasion),
            agent_id=agent.agent_id,
            agent_number=agent.number,
            agent_name=agent.name,
            department=after.department,
            decision=decision,
        ),
    )


def accept(case: Case, command: AcceptOffer, occasion: Occasion) -> Decision | Refusal:
    """Make the asked agent the handler (A2)."""
    offer = case.offer
    if offer is None or offer.offer_id != command.offer_id or occasion.now >= offer.expires_at:
        return _ended()
    if offer.agent_id != command.agent_id:
        return Refusal("not_your_offer", "This offer was made to another agent.")
    after = evolve(case, state="assigned", agent_id=offer.agent_id, offer=None, preferred_agent_id=None)
    return tell(
        after,
        CaseAssigned(
            **stamp(after, occasion),
            agent_id=offer.agent_id,
            agent_number=offer.agent_number,
            agent_name=offer.agent_name,
            department=after.department,
            offer_id=offer.offer_id,
        ),
    )


def decline(case: Case, command: DeclineOffer, occasion: Occasion) -> Decision | Refusal:
    """Put the case back in its place; the agent is not asked again for it (A2)."""
    offer = case.offer
    if offer is None or offer.offer_id != command.offer_id:
        return _ended()
    if offer.agent_id != command.agent_id:
        return Refusal("not_your_offer", "This offer was made to another agent.")
    barred = evolve(case, declined=_with(case.declined, offer.agent_id))
    return end_offer(barred, "declined", occasion, command.reason)


def _ended() -> Refusal:
    return Refusal("offer_ended", "This offer has ended: it was taken, declined, withdrawn, or its time ran out.")


def end_offer(
    case: Case,
    outcome: Literal["declined", "expired", "withdrawn"],
    occasion: Occasion,
    reason: str | None = None,
) -> Decision:
    """End the offer that is out; the case keeps its age in the queue (A2)."""
    offer = case.offer
    if offer is None:
        return nothing(case)
    after = evolve(case, state="queued", offer=None, held_channel=None)
    return tell(
        after,
        CaseOfferEnded(
            **stamp(after, occasion),
            offer_id=offer.offer_id,
            agent_id=offer.agent_id,
            outcome=outcome,
            reason=reason,
        ),
    )


def withdraw(case: Case, occasion: Occasion, reason: str) -> Decision:
    """Take back the offer that is out, if there is one: every offer has exactly one end (A2)."""
    return end_offer(case, "withdrawn", occasion, reason)


def release(case: Case, reason: Literal["agent_offline", "idle"], occasion: Occasion) -> Decision:
    """Take the case from an agent who is gone or idle; its age, and so its priority, is kept (A7)."""
    if case.agent_id is None:
        return nothing(case)
    gone = case.agent_id
    after = evolve(case, agent_id=None, held_channel=None, preferred_agent_id=None)
    if case.state == "assigned":
        after = evolve(after, state="queued", queued_at=occasion.now)
    return tell(after, CaseReleased(**stamp(after, occasion), agent_id=gone, reason=reason))


def requeued(case: Case, occasion: Occasion, **changes: object) -> Case:
    """Return the case as it stands when it goes to a queue anew: nobody has it, the search begins at its first step."""
    fresh: dict[str, object] = {
        "state": "queued",
        "agent_id": None,
        "offer": None,
        "held_channel": None,
        "queued_at": occasion.now,
    }
    after = evolve(case, **(fresh | changes))
    return evolve(after, priority=priority(after, occasion.now, occasion.policy.routing.priority))


def reprioritise(case: Case, occasion: Occasion) -> Decision:
    """Tell a change of the priority's band while the case waits (C7); within the band nothing is said."""
    current = priority(case, occasion.now, occasion.policy.routing.priority)
    if current.band == case.priority.band:
        return nothing(case)
    after = evolve(case, priority=current)
    return tell(
        after,
        CaseReprioritised(
            **stamp(after, occasion),
            priority=current,
            previous_band=case.priority.band,
        ),
    )


def _with(agents: tuple[str, ...], agent_id: str) -> tuple[str, ...]:
    return agents if agent_id in agents else (*agents, agent_id)
