"""What does the journal say about one plausible case? Events in order, to be cut, repeated or shuffled by tests."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts import router
from contracts.case_number import case_number
from contracts.message import derived_id
from contracts.values import Party
from tests.support.examples import MOMENT, example

STORY: Sequence[tuple[type[router.CaseEvent], dict[str, Any]]] = (
    (router.CaseOpened, {"state": "queued", "supervisor_needed": False}),
    (router.CaseAssigned, {"state": "assigned", "agent_name": "Li Wei", "agent_number": "1017"}),
    (router.CaseFactsRecorded, {"state": "assigned", "facts": {"order_no": "A202310001", "error_code": "ERR-500"}}),
    (router.PromiseMade, {"state": "assigned", "due_at": MOMENT + timedelta(hours=2)}),
    (router.CaseProgressed, {"state": "assigned", "step": "问题升级", "told_customer": "预计11点前反馈"}),
    (router.CaseResolved, {"state": "solved", "cycle": 1}),
    (router.CallbackCompleted, {"state": "solved", "solved": True, "text": None}),
    (router.CaseClosed, {"state": "closed", "outcome": "confirmed", "cycle": 1}),
    (router.SurveyAnswered, {"state": "closed", "overall": 5, "response_speed": 4, "effectiveness": 5, "attitude": 5}),
)


def a_case(name: str) -> UUID:
    """Return the id of a test's case."""
    return derived_id("a case of desk", name)


def story(name: str) -> list[Any]:
    """Return the whole story of a case, versions 1 to 9, a minute apart."""
    case_id = a_case(name)
    return [told(kind, case_id, version, **fields) for version, (kind, fields) in enumerate(STORY, start=1)]


def told(kind: type[router.CaseEvent], case_id: UUID, version: int, **fields: Any) -> Any:  # noqa: ANN401 - any event
    """Return one event of a case."""
    fields |= {
        "case_id": case_id,
        "case_number": case_number(case_id),
        "version": version,
        "occurred_at": MOMENT + timedelta(minutes=version),
    }
    event = example(kind).model_copy(update=fields)
    if isinstance(event, router.CaseOpened):
        parties = (Party(kind="member", value="m-9"), Party(kind="phone", value="+8613800005678"))
        customer = event.customer.model_copy(update={"name": "王先生", "parties": parties})
        return event.model_copy(update={"customer": customer, "record_no": case_number(case_id)})
    return event
