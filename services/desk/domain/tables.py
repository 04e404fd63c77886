"""Which columns have Tables 1 to 3, and what stands in a row (R9, S6, F7)?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts import router
from contracts.case_number import follow_up_no
from contracts.values import Customer
from services.desk.domain.board import Board
from services.desk.domain.wording import Wording, said

TableName = Literal["demands", "process", "followups"]
Cell = str | int | datetime | None
Row = tuple[Cell, ...]
Departments = Mapping[str, Mapping[str, str]]
"""Titles of the policy's departments by language."""
_UNSOLVED_MAX = 2
"""F5: an overall score up to this opens a recovery."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key in JSON, and its headers."""

    key: str
    en: str
    zh: str

    def header(self, wording: Wording) -> str:
        """Return the header in this language."""
        return self.zh if wording == "zh-CN" else self.en


TABLES: Mapping[TableName, tuple[Column, ...]] = {
    "demands": (
        Column("record_no", "Record no.", "记录编号"),
        Column("customer_name", "Customer", "客户姓名"),
        Column("contact", "Contact", "联系方式"),
        Column("account_or_order_no", "Account / order no.", "账号/订单号"),
        Column("problem_type", "Problem type", "问题类型"),
        Column("description", "Description", "问题描述"),
        Column("urgency", "Urgency", "紧急程度"),
        Column("received_at", "Received at", "接待时间"),
        Column("handler", "Handler", "处理人"),
        Column("department", "Responsible department", "责任部门"),
        Column("expected_resolution", "Expected resolution", "预计解决时间"),
        Column("actual_resolution", "Actual resolution", "实际解决时间"),
        Column("satisfaction", "Satisfaction (1-5)", "客户满意度(1-5)"),
    ),
    "process": (
        Column("tracking_no", "Tracking no.", "跟踪编号"),
        Column("record_no", "Record no.", "关联记录编号"),
        Column("step", "Step", "处理环节"),
        Column("action", "Action", "处理内容"),
        Column("owner", "Responsible person", "负责人"),
        Column("at", "Time", "时间"),
        Column("customer_communication", "Told to the customer", "客户沟通情况"),
        Column("attachment", "Attachments", "附件"),
    ),
    "followups": (
        Column("follow_up_no", "Follow-up no.", "回访编号"),
        Column("customer_name", "Customer", "客户姓名"),
        Column("record_no", "Record no.", "关联记录编号"),
        Column("followed_up_at", "Time", "回访时间"),
        Column("method", "Method", "回访方式"),
        Column("questions", "Question", "回访问题"),
        Column("feedback", "Answer", "客户反馈"),
        Column("improvement_suggestion", "Suggestion", "改进建议"),
        Column("next_action", "Next action", "后续行动"),
    ),
}
FollowUp = router.CallbackCompleted | router.CallbackExhausted | router.SurveyAnswered


def demand_row(
    board: Board,
    opened: router.CaseOpened | None,
    due_at: datetime | None,
    departments: Departments,
    wording: Wording,
) -> Row:
    """Return the row of Table 1 (R9); ``due_at`` is when the resolution clock runs out, unless a time was promised."""
    facts = board.facts or {}
    customer = opened.customer if opened else None
    return (
        opened.record_no if opened else board.case_number,
        customer.name if customer else None,
        _contact(customer),
        facts.get("order_no") or _party(customer, ("order", "member")),
        " / ".join(said(part, wording) for part in (board.scenario, board.category) if part),
        _description(opened.demand.text if opened else "", facts, wording),
        said(board.severity, wording),
        opened.contact.received_at if opened else board.opened_at,
        _person(board.agent_name, board.agent_number),
        _department(board.department, departments, wording),
        board.promised_at or due_at,
        board.resolved_at,
        board.satisfaction,
    )


def process_row(event: router.CaseProgressed, owner: str | None) -> Row:
    """Return the row of Table 2 (S6); ``owner`` is the name of whoever did the step."""
    return (
        event.tracking_no,
        event.case_number,
        event.step,
        event.action,
        owner or event.by.id,
        event.occurred_at,
        event.told_customer,
        "; ".join(attachment.name for attachment in event.attachments) or None,
    )


def follow_up_row(event: FollowUp, customer_name: str | None, channel: str | None, wording: Wording) -> Row:
    """Return the row of Table 3 (F7); ``channel`` is how the survey went out."""
    identity, method, question, answer, action = _followed_up(event, channel)
    return (
        follow_up_no(identity),
        customer_name,
        event.case_number,
        event.at if isinstance(event, router.CallbackCompleted) else event.occurred_at,
        said(method, wording),
        said(question, wording),
        "; ".join(_answer(part, wording) for part in answer),
        None if isinstance(event, router.CallbackExhausted) else event.text,
        said(action, wording),
    )


def _followed_up(event: FollowUp, channel: str | None) -> tuple[UUID, str, str, Sequence[str | tuple[str, int]], str]:
    match event:
        case router.CallbackExhausted():
            return event.callback_id, "phone", "is_it_solved", ["not_reached"], "another_way"
        case router.CallbackCompleted(solved=None):
            return event.callback_id, "phone", event.purpose, ["reached"], "none"
        case router.CallbackCompleted():
            verdict, action = ("solved", "close") if event.solved else ("not_solved", "reopen")
            return event.callback_id, "phone", "is_it_solved", [verdict], action
        case _:
            action = "recovery" if min(_scores(event).values()) == 1 or event.overall <= _UNSOLVED_MAX else "none"
            method = {"agent": "phone", "call": "phone"}.get(event.via, channel or event.via)
            return event.survey_id, method, "please_rate", list(_scores(event).items()), action


def _scores(event: router.SurveyAnswered) -> dict[str, int]:
    scores = {
        "speed": event.response_speed,
        "effectiveness": event.effectiveness,
        "attitude": event.attitude,
        "overall": event.overall,
    }
    return {name: score for name, score in scores.items() if score is not None}


def _answer(part: str | tuple[str, int], wording: Wording) -> str:
    return said(part, wording) if isinstance(part, str) else f"{said(part[0], wording)} {part[1]}"


def _description(text: str, facts: Mapping[str, str], wording: Wording) -> str:
    """Return the customer's words with time, scene and error text (R9) where they were recorded."""
    known = [f"{said(name, wording)}: {facts[name]}" for name in ("when", "where", "error_code") if facts.get(name)]
    return "; ".join([facts.get("what") or text, *known])


def _contact(customer: Customer | None) -> str | None:
    return _party(customer, ("phone", "email", "social"))


def _party(customer: Customer | None, kinds: Sequence[str]) -> str | None:
    parties = customer.parties if customer else ()
    return next((party.value for kind in kinds for party in parties if party.kind == kind), None)


def _person(name: str | None, number: str | None) -> str | None:
    return f"{name} ({number})" if name and number else name


def _department(name: str | None, departments: Departments, wording: Wording) -> str:
    titles = departments.get(name or "", {})
    return titles.get(wording) or said(name, wording)
