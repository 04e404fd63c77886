"""What is the state of a case, what is its story, and why did it go as it did?"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from services.cli.connection import HERE, Where, find_desk
from services.cli.desk import ask
from services.cli.output import console, local, print_json, relative, table
from services.cli.rendering import event_line, plain, shortened, state_text
from services.runtime.clock import SystemClock

Shower = Callable[[Console, dict[str, Any], datetime], None]


async def list_(
    *,
    state: str | None = None,
    department: str | None = None,
    agent: str | None = None,
    limit: int = 50,
    json: bool = False,
    where: Where = HERE,
) -> None:
    """Show the board, newest cases first.

    Parameters
    ----------
    state
        Only cases in this state, for example queued or assigned.
    department
        Only cases of this department.
    agent
        Only cases that this agent handles.
    limit
        How many.
    json
        Print one JSON document.
    """
    asked = {"state": state, "department": department, "agent_id": agent, "limit": limit}
    board: Shower = lambda out, answer, now: _show_board(out, answer["cases"], now)  # noqa: E731 - a line, typed
    await _shown("/api/cases", board, json=json, where=where, asked=asked)


async def show(case: str, /, *, json: bool = False, where: Where = HERE) -> None:
    """Show a case: what it is, its timeline, promises, clocks and messages.

    Parameters
    ----------
    case
        Id or number.
    json
        Print one JSON document.
    """
    await _shown(f"/api/cases/{case}", _show_case, json=json, where=where)


async def why(case: str, /, *, json: bool = False, where: Where = HERE) -> None:
    """Show why a case is classified, ranked and assigned as it is.

    Parameters
    ----------
    case
        Id or number.
    json
        Print one JSON document.
    """
    await _shown(f"/api/cases/{case}/why", _show_reasons, json=json, where=where)


async def _shown(page: str, show_to: Shower, *, json: bool, where: Where, asked: dict[str, Any] | None = None) -> None:
    """Ask desk for a page and print it: as it came, or for a person."""
    answer = await ask(find_desk(where), page, asked)
    if json:
        print_json(answer)
    else:
        show_to(console(), answer, SystemClock().now())


def _show_board(out: Console, cases: list[dict[str, Any]], now: datetime) -> None:
    if not cases:
        out.print("no cases; `caseloop send` or `caseloop demo` brings some")
        return
    board = table("number", "state", "priority", "department", "handler", "customer", "opened", "about")
    for case in cases:
        board.add_row(
            Text(case["case_number"], style="cyan"),
            state_text(case["state"]),
            f"{case['priority'] if case['priority'] is not None else ''} {case['band'] or ''}".strip(),
            case["department"] or "",
            plain(case["agent_name"]),
            plain(case["customer_name"]),
            relative(case["opened_at"], now),
            plain(case["summary"][:48]),
        )
    out.print(board)


def _show_case(out: Console, answer: dict[str, Any], now: datetime) -> None:
    case = answer["case"]
    out.print(
        Text.assemble((case["case_number"], "bold cyan"), "  ", state_text(case["state"]), f"  {case['case_id']}")
    )
    for name, value in _facts_of(case, now):
        out.print(Text.assemble((f"{name:<12}", "dim"), plain(value)))
    out.print(Text("\ntimeline", style="bold"))
    for event in answer["timeline"]:
        at = Text(f"{local(event['occurred_at'], now):<17}", style="dim")
        out.print(at.append_text(event_line(event["type"], event)))
    if case["missing"]:
        out.print(Text(f"{case['missing']} versions of this case were never seen", style="bold red"))
    _show_companions(out, answer, now)


def _facts_of(case: dict[str, Any], now: datetime) -> list[tuple[str, str]]:
    number = f" ({case['agent_number']})" if case["agent_number"] else ""
    known = [
        ("customer", case["customer_name"]),
        ("about", shortened(case["summary"])),
        ("kind", " / ".join(case[name] for name in ("scenario", "category", "severity") if case[name])),
        ("priority", f"{case['priority']} {case['band']}" if case["priority"] is not None else None),
        ("department", case["department"]),
        ("handler", f"{case['agent_name']}{number}" if case["agent_name"] else None),
        ("facts", ", ".join(f"{name}={value}" for name, value in case["facts"].items())),
        ("opened", f"{local(case['opened_at'], now)} ({relative(case['opened_at'], now)}) by {case['channel']}"),
        ("closed", f"{local(case['closed_at'], now)}, {case['outcome']}" if case["closed_at"] else None),
        ("satisfaction", f"{case['satisfaction']} of 5" if case["satisfaction"] else None),
    ]
    return [(name, value) for name, value in known if value]


def _show_companions(out: Console, answer: dict[str, Any], now: datetime) -> None:
    if answer["promises"]:
        promises = table("promise", "due", "state", title="\npromises")
        for promise in answer["promises"]:
            promises.add_row(plain(shortened(promise["what"])), _due(promise["due_at"], now), promise["state"])
        out.print(promises)
    if answer["clocks"]:
        clocks = table("clock", "state", "due", "target", "used", title="\nclocks")
        for clock in answer["clocks"]:
            used = f"{clock['business_seconds']} s"
            clocks.add_row(
                clock["clock"], clock["state"], _due(clock["due_at"], now), f"{clock['target_seconds']} s", used
            )
        out.print(clocks)
    if answer["messages"]:
        messages = table("message", "channel", "state", "when", "reason", title="\nmessages to the customer")
        for message in answer["messages"]:
            what = message["milestone"] or message["purpose"]
            at = local(message["changed_at"], now)
            messages.add_row(what, message["channel"], message["state"], at, plain(message["reason"]))
        out.print(messages)


def _due(due_at: str | None, now: datetime) -> str:
    return f"{local(due_at, now)} ({relative(due_at, now)})" if due_at else ""


def _show_reasons(out: Console, answer: dict[str, Any], now: datetime) -> None:
    out.print(Text(answer["case_number"], style="bold cyan"))
    for found in answer["classification"]:
        kind = (
            f"{found['scenario']} / {found['category']} / {found['severity']} ({found['quadrant']}), {found['emotion']}"
        )
        out.print(Text.assemble(("\nclassified ", "bold"), kind, (f"  {local(found['occurred_at'], now)}", "dim")))
        if found.get("reason"):
            out.print(Text.assemble("  because ", plain(found["reason"])))
        for evidence in found.get("evidence", ()):
            quote = f' - "{shortened(evidence["quote"])}"' if evidence.get("quote") else ""
            out.print(Text(f"  {evidence['field']} = {evidence['value']} by rule {evidence['rule']}{quote}"))
    for found in answer["priority"]:
        parts = " + ".join(f"{part['name']} {part['points']}" for part in found.get("components", ()))
        out.print(
            Text.assemble(("\npriority ", "bold"), f"{found['value']} ({found['band']}) = {parts or found['value']}")
        )
    for found in answer["assignment"]:
        _show_choice(out, found, now)


def _show_choice(out: Console, found: dict[str, Any], now: datetime) -> None:
    at = (f"  {local(found['occurred_at'], now)}", "dim")
    out.print(Text.assemble((f"\n{found['step']} ", "bold"), str(found["agent_id"]), at))
    decision = found.get("decision")
    if not decision:
        return
    out.print(f"  step {decision['step']}, {decision['candidates_total']} candidates")
    for candidate in decision["candidates"]:
        points = (
            f"skills {candidate['skill_points']}, idle {candidate['idle_seconds']} s, free {candidate['free_units']}"
        )
        out.print(Text(f"  + {candidate['agent_id']}: {points}"))
    for excluded in decision["excluded"]:
        out.print(Text(f"  - {excluded['rule']}: {', '.join(excluded['agent_ids'])}", style="dim"))
