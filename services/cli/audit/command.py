"""How is the proof asked for and told?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from services.cli.audit.findings import Finding
from services.cli.audit.plan import Scope
from services.cli.audit.progress import telling
from services.cli.audit.proof import Proof, prove
from services.cli.audit.repairing import Repaired, repair_all
from services.cli.connection import HERE, Where, find
from services.cli.failures import FAILED, bad_input
from services.cli.output import console, print_json
from services.runtime.clock import SystemClock

_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell at the end."""

    proof: Proof
    scope: Scope
    repaired: list[Repaired]
    acted: bool


async def audit(
    *,
    since: str | None = None,
    until: str | None = None,
    wait: float = 10.0,
    repair: bool = False,
    yes: bool = False,
    json: bool = False,
    where: Where = HERE,
) -> int:
    """Prove that nothing was lost. Exit status 0 when proven, 1 with findings.

    Every channel event has its ending, every case chain is gapless and its hashes hold, the router's table agrees with
    the journal, every other service remembers what it was told, every promise has an end or a clock, everything that
    waits has its timer, no message to a customer is stuck, and no record was deleted before it was read.

    Parameters
    ----------
    since
        Account for channel events from this time on, RFC 3339; for everything that is kept without it.
    until
        Account for channel events before this time, RFC 3339.
    wait
        Seconds to wait for what is still on its way.
    repair
        Also say what can be repaired by saying it again, and how. Nothing is changed without --yes.
    yes
        With --repair: do it. Each repair is kept in the table `repairs` of the service that it concerns.
    json
        Print one JSON document.
    """
    if yes and not repair:
        raise bad_input("--yes: only with --repair")
    connection = find(where)
    scope = Scope(_moment("since", since), _moment("until", until), wait, SystemClock().now())
    with telling() as speaker:
        proof = await prove(connection, scope, speaker)
    repaired = await repair_all(connection, proof.findings.listed, scope.now, act=yes) if repair else []
    told = Told(proof, scope, repaired, yes)
    if json:
        print_json(_document(told))
    else:
        _show(told)
    return FAILED if proof.findings.total else 0


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise bad_input(f"--{option} {text!r}: write a time such as 2026-11-02T09:30:00Z") from None


def _document(told: Told) -> dict[str, Any]:
    proof = told.proof
    return {
        "proven": not proof.findings.total,
        "since": told.scope.since,
        "until": told.scope.until,
        "channel_events": {"total": proof.endings.total(), **proof.endings},
        "oldest_in_flight_seconds": proof.oldest_in_flight_seconds,
        "cases": proof.cases,
        "case_events": proof.events,
        "case_event_duplicates": proof.duplicates,
        "case_events_said_again": proof.repaired,
        "promises": proof.promises,
        "clocks_running": proof.clocks,
        "callbacks_and_surveys_waiting": proof.waiting,
        "findings_total": proof.findings.total,
        "findings": [finding.document() for finding in proof.findings.listed],
        "repairs": [repaired.document() for repaired in told.repaired],
    }


def _show(told: Told) -> None:
    proof = told.proof
    endings = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in proof.endings.most_common())
    if proof.oldest_in_flight_seconds is not None:
        endings += f", the oldest in flight for {proof.oldest_in_flight_seconds:.0f} s"
    promises = ", ".join(f"{count} {name}" for name, count in sorted(proof.promises.items()))
    chains = f"{proof.cases} cases, {proof.events} events: gapless, hashes hold"
    waiting = f"{proof.clocks} running clocks, {proof.waiting} waiting callbacks and surveys have their timer"
    _line(proof, "channel event", f"{proof.endings.total()} channel events have their ending", endings)
    _line(proof, "contact", "every understood demand is on the journal")
    _line(proof, "chain", chains, f"{proof.duplicates} repeats, {proof.repaired} said again by a repair")
    _line(proof, "table", "the router's table agrees with the journal")
    _line(proof, "snapshot", "the latest state of every case is told")
    _line(proof, "memory", "every service remembers each case as far as the journal told it")
    _line(proof, "promise", f"{sum(proof.promises.values())} promises have an end or a clock", promises)
    _line(proof, "timer", waiting)
    _line(proof, "delivery", "no message to a customer waits beyond its time")
    _line(proof, "missed", "no record was deleted before it was read")
    for finding in proof.findings.listed[:_SHOWN_MAX]:
        _show_finding(finding)
    if proof.findings.total > _SHOWN_MAX:
        console().print(f"and {proof.findings.total - _SHOWN_MAX} more; --json shows up to a thousand")
    _show_repairs(told)
    verdict = f"{proof.findings.total} findings" if proof.findings.total else "proven: nothing was lost"
    console().print(Text(verdict, style="bold red" if proof.findings.total else "bold green"))


def _show_finding(finding: Finding) -> None:
    said = finding.document()
    number = f"{said['case_number']} " if said["case_number"] else ""
    out = console()
    out.print(Text.assemble((f"{finding.check}: ", "bold red"), f"{number}{finding.where}: {finding.problem}"))
    if finding.advice:
        out.print(Text(f"    {finding.advice}", style="dim"))


def _show_repairs(told: Told) -> None:
    for repaired in told.repaired:
        console().print(Text.assemble((f"{repaired.outcome}: ", "bold yellow"), repaired.words))
    if told.repaired and not told.acted:
        console().print("nothing was changed; add --yes to do it")
    elif told.repaired:
        console().print("audit again in a moment to see that it holds now")


def _line(proof: Proof, check: str, claim: str, detail: str = "") -> None:
    mark = ("✗ ", "bold red") if check in proof.findings.broken else ("✓ ", "bold green")
    console().print(Text.assemble(mark, claim, (f"  ({detail})" if detail else "", "dim")))
