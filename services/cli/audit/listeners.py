"""Who remembers the versions of cases, and after which events of the journal?

desk and followup take every event of a case, intake and notify those that mean something to them: the version that they
remember is that of the last event of their kinds. A test compares these kinds with what the services listen to.
"""

from collections.abc import Mapping

from contracts import router
from contracts.message import Message
from contracts.registry import MESSAGES

EVERY_EVENT: frozenset[type[Message]] = frozenset(
    event for event in MESSAGES.values() if issubclass(event, router.CaseEvent | router.CommandRejected)
)
TAKES: Mapping[str, frozenset[type[Message]]] = {
    "desk": EVERY_EVENT,
    "followup": EVERY_EVENT,
    "intake": frozenset({
        router.CaseOpened, router.CaseReclassified, router.CaseInformationRequested, router.CaseInformationReceived,
        router.CaseResolved, router.CaseReopened, router.CaseClosed, router.CaseMerged, router.CaseMarkedSpam,
    }),
    "notify": frozenset({
        router.CaseOpened, router.CaseReclassified, router.CaseInformationRequested, router.CaseInformationReceived,
        router.CaseResolved, router.CaseReopened, router.CaseClosed, router.CaseMerged, router.CaseMarkedSpam,
        router.CaseAssigned, router.CaseContactAttached, router.CaseEscalated, router.CaseProgressed,
        router.ClockWarned, router.MilestoneReached, router.PromiseBreached, router.PromiseMoved,
        router.SolutionProposed,
    }),
}  # fmt: skip
"""Service to the events whose version it remembers. Surveys are news to intake, but leave its version as it is."""
LISTENERS: Mapping[bytes, tuple[str, ...]] = {
    event.type.encode(): tuple(service for service, kinds in TAKES.items() if event in kinds) for event in EVERY_EVENT
}
"""``ce_type`` of an event to the services that remember its version."""
