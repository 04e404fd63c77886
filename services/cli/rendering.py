"""How is one event of a case told in a line?"""

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

Data = Mapping[str, Any]
_STATE_STYLES = {
    "queued": "yellow",
    "offered": "yellow",
    "assigned": "blue",
    "waiting_customer": "magenta",
    "waiting_department": "magenta",
    "solved": "green",
    "closed": "green dim",
    "merged": "dim",
    "spam": "dim",
}
_LOUD = {
    "clock_breached": "bold red",
    "promise_breached": "bold red",
    "notification_failed": "red",
    "callback_exhausted": "red",
    "resolution_rejected": "red",
    "command_rejected": "red",
    "escalated": "bold yellow",
    "reopened": "bold yellow",
    "recovery_opened": "bold yellow",
    "clock_warned": "yellow",
    "resolved": "green",
    "closed": "green",
    "survey_answered": "green",
}
_TEXT_MAX = 90

_DETAILS: Mapping[str, Callable[[Data], object]] = {
    "opened": lambda d: (
        f"{d['demand']['classification']['severity']} {d['demand']['classification']['category']}"
        f" for {d['department']}: {d['demand']['text']}"
    ),
    "contact_attached": lambda d: f"{d['author']}: {d['text']}",
    "reclassified": lambda d: f"{d['classification']['severity']} {d['classification']['category']}: {d['reason']}",
    "reprioritised": lambda d: f"{d['previous_band']} to {d['priority']['band']} ({d['priority']['value']})",
    "offered": lambda d: f"to {d['agent_id']}, {d['decision']['step']}",
    "offer_ended": lambda d: f"{d['outcome']} by {d['agent_id']}",
    "assigned": lambda d: f"to {d['agent_name']} ({d['agent_number']})",
    "released": lambda d: f"by {d['agent_id']}: {d['reason']}",
    "facts_recorded": lambda d: ", ".join(f"{name}={value}" for name, value in d["facts"].items()),
    "problem_restated": lambda d: d["text"],
    "information_requested": lambda d: ", ".join(d["fields"]),
    "information_received": lambda d: d["text"],
    "solution_proposed": lambda d: " / ".join(option["title"] for option in d["options"]),
    "solution_chosen": lambda d: d["option_id"],
    "promise_made": lambda d: f"{d['what']}, by {d['due_at']}",
    "promise_moved": lambda d: f"{d['what']}, now by {d['due_at']}: {d['reason']}",
    "progressed": lambda d: f"{d['step']}: {d['action']}",
    "milestone_reached": lambda d: d["milestone"],
    "transferred": lambda d: f"to {d['department']}: {d['reason']}",
    "escalated": lambda d: d["reason"],
    "work_order_opened": lambda d: f"{d['work_order_no']} for {d['department']}",
    "work_order_updated": lambda d: f"{d['work_order_no']} {d['node']}: {d['node_state']}",
    "clock_warned": lambda d: f"{d['clock']} {d['percent']} %, due {d['due_at']}",
    "clock_breached": lambda d: f"{d['clock']}, was due {d['due_at']}",
    "callback_scheduled": lambda d: f"{d['purpose']} at {d['at']}",
    "callback_attempted": lambda d: f"try {d['attempt']}: {d['outcome']}",
    "callback_completed": lambda d: (
        f"{d['purpose']}{'' if d.get('solved') is None else ', solved' if d['solved'] else ', not solved'}"
    ),
    "callback_exhausted": lambda d: f"after {d['attempts']} tries",
    "customer_notified": lambda d: f"{d.get('milestone') or d['purpose']} by {d['channel']}",
    "notification_failed": lambda d: f"{d.get('milestone') or d['purpose']} by {d['channel']}: {d['reason']}",
    "resolved": lambda d: d["resolution"],
    "resolution_rejected": lambda d: d.get("text") or "",
    "reopened": lambda d: d["reason"],
    "closed": lambda d: d["outcome"],
    "survey_sent": lambda d: f"by {d['channel']}",
    "survey_answered": lambda d: f"overall {d['overall']}{': ' + d['text'] if d.get('text') else ''}",
    "recovery_opened": lambda d: d["reason"],
    "merged": lambda d: f"into {d['into_case_id']}: {d['reason']}",
    "linked": lambda d: f"{d['relation']} {d['to_case_id']}",
    "command_rejected": lambda d: f"{d['code']}: {d['message']}",
}


def short_name(kind: str) -> str:
    """Return ``opened`` for ``caseloop.case.opened.v1``."""
    return kind.removeprefix("caseloop.").removeprefix("case.").rpartition(".v")[0] or kind


def event_line(kind: str, data: Data) -> Text:
    """Return version, state, what happened and the words that matter, in one line."""
    name = short_name(kind)
    state = str(data.get("state") or "-")
    line = Text(f"{data.get('version') or '-':>3} ", style="dim")
    line.append(f"{state:<17} ", style=_STATE_STYLES.get(state, ""))
    line.append(f"{name:<22} ", style=_LOUD.get(name, "bold"))
    line.append(shortened(_detail(name, data)))
    return line


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=_STATE_STYLES.get(state, ""))


def shortened(text: str) -> str:
    """Return a text on one line, cut where it is long; control characters never reach a terminal."""
    flat = _flat(text)
    return flat if len(flat) <= _TEXT_MAX else f"{flat[: _TEXT_MAX - 1]}…"


def plain(text: str | None) -> Text:
    """Return somebody's words as they are, on one line: brackets are no markup, and nothing commands the terminal."""
    return Text(_flat(text or ""))


def _flat(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _detail(name: str, data: Data) -> str:
    told = _DETAILS.get(name)
    try:
        return str(told(data)) if told else ""
    except (KeyError, TypeError):  # a newer speaker may have changed what is behind a name
        return ""
