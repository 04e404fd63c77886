"""How is the proof asked for and told?"""

from datetime import datetime
from typing import Any

from rich.text import Text

from services.cli.audit.proof import Proof, prove
from services.cli.connection import HERE, Where, find
from services.cli.failures import FAILED, bad_input
from services.cli.output import console, print_json
from services.runtime.clock import SystemClock

_SHOWN_MAX = 50


async def audit(*, since: str | None = None, wait: float = 10.0, json: bool = False, where: Where = HERE) -> int:
    """Prove that nothing was lost. Exit status 0 when proven, 1 with findings.

    Every channel event has its ending, every case chain is gapless and its hashes hold, every promise has an end or a
    clock.

    Parameters
    ----------
    since
        Only from this time on, RFC 3339; everything that is kept without it.
    wait
        Seconds to wait for what is still on its way.
    json
        Print one JSON document.
    """
    now = SystemClock().now()
    proof = await prove(find(where), _moment(since), wait, now)
    if json:
        print_json(_document(proof, since))
    else:
        _show(proof)
    return FAILED if proof.findings.total else 0


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise bad_input(f"--since {text!r}: write a time such as 2026-11-02T09:30:00Z") from None


def _document(proof: Proof, since: str | None) -> dict[str, Any]:
    return {
        "proven": not proof.findings.total,
        "since": since,
        "channel_events": {"total": proof.endings.total(), **proof.endings},
        "cases": proof.cases,
        "case_events": proof.events,
        "case_event_duplicates": proof.duplicates,
        "promises": proof.promises,
        "findings_total": proof.findings.total,
        "findings": proof.findings.documents(),
    }


def _show(proof: Proof) -> None:
    out = console()
    endings = ", ".join(f"{count} {name}" for name, count in proof.endings.most_common())
    promises = ", ".join(f"{count} {name}" for name, count in sorted(proof.promises.items()))
    _line(proof, "channel event", f"{proof.endings.total()} channel events have their ending", endings)
    _line(proof, "contact", "every understood demand is on the journal", "")
    _line(
        proof,
        "chain",
        f"{proof.cases} cases, {proof.events} events: gapless, hashes hold",
        f"{proof.duplicates} repeats",
    )
    _line(proof, "promise", f"{sum(proof.promises.values())} promises have an end or a clock", promises)
    for finding in proof.findings.listed[:_SHOWN_MAX]:
        out.print(Text.assemble((f"{finding.check}: ", "bold red"), f"{finding.where}: {finding.problem}"))
    if proof.findings.total > _SHOWN_MAX:
        out.print(f"and {proof.findings.total - _SHOWN_MAX} more; --json shows them")
    verdict = f"{proof.findings.total} findings" if proof.findings.total else "proven: nothing was lost"
    out.print(Text(verdict, style="bold red" if proof.findings.total else "bold green"))


def _line(proof: Proof, check: str, claim: str, detail: str) -> None:
    broken = any(finding.check == check for finding in proof.findings.listed)
    mark = ("✗ ", "bold red") if broken else ("✓ ", "bold green")
    console().print(Text.assemble(mark, claim, (f"  ({detail})" if detail else "", "dim")))
