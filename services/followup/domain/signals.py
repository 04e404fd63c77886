"""What does an event of the journal mean for clocks?"""

from typing import Final

from contracts.policy.followup import Signal
from contracts.router import (
    CaseContactAttached,
    CaseEscalated,
    CaseEvent,
    CaseInformationRequested,
    CaseOpened,
    CaseProblemRestated,
    CaseProgressed,
    CaseRelieved,
    CaseReopened,
    CaseResolved,
    ClockBreached,
    CommandRejected,
    CustomerNotified,
    PromiseBreached,
    PromiseMade,
    PromiseMoved,
    SolutionProposed,
)
from services.followup.domain.state import CaseFollowup, Supervision

Event = CaseEvent | CommandRejected

_PREFIX: Final = len("caseloop.case.")
_SUFFIX: Final = len(".v1")
_SPEAKING: Final = (
    CaseProblemRestated,
    SolutionProposed,
    CaseResolved,
    CaseInformationRequested,
    PromiseMade,
    PromiseMoved,
)
"""What an agent does by talking to the customer."""
ECHOES: Final = ("caseloop.clock.", "caseloop.promise.", "caseloop.callback.", "caseloop.survey.", "caseloop.care.")
_VERDICTS: Final = (ClockBreached, PromiseBreached)


def short_name(event: Event) -> str:
    """Return ``opened`` for ``caseloop.case.opened.v1``."""
    return event.type[_PREFIX:-_SUFFIX]


def is_echo(event: Event) -> bool:
    """Tell whether the event only repeats what followup said itself."""
    return event.cause.type.startswith(ECHOES)


def signals_of(state: CaseFollowup, event: Event) -> frozenset[Signal]:
    """Return what starts, meets or cancels clocks; ``state`` is the case before the event."""
    signals = {short_name(event)}
    if _agent_spoke(event):
        signals |= {"agent_spoke", "customer_told"}
        if state.supervision == "held" or event.by.kind == "supervisor":
            signals.add("supervisor_spoke")
    if isinstance(event, CustomerNotified):
        signals |= {"customer_told", "acknowledged"} if event.purpose == "acknowledgement" else {"customer_told"}
    if _escalates(event):
        signals.add("escalated")
    return frozenset(signals)  # type: ignore[arg-type] # names nobody listens to are harmless


def supervision_after(state: CaseFollowup, event: Event) -> Supervision:
    """Return whether a supervisor is asked for, or has taken over (A6)."""
    if _escalates(event) or (isinstance(event, CaseReopened) and event.supervisor_needed):
        return "needed"
    taken = short_name(event) == "assigned" or isinstance(event, CaseRelieved)
    return "held" if taken and state.supervision == "needed" else state.supervision


def _escalates(event: Event) -> bool:
    match event:
        case CaseEscalated():
            return True
        case CaseOpened():
            return event.supervisor_needed
        case ClockBreached():
            return event.escalated
        case _:
            return False


def _agent_spoke(event: Event) -> bool:
    match event:
        case CaseContactAttached():
            return event.author == "agent"
        case CaseProgressed():
            return event.told_customer is not None and _is_human(event)
        case _:
            return isinstance(event, _SPEAKING) and _is_human(event)


def _is_human(event: Event) -> bool:
    """Tell an agent (or a system that acts for one) from ourselves and the customer."""
    return event.by.kind not in ("system", "customer")
