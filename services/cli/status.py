"""Is the system well, and if not, where does it hurt?"""

from typing import Any

from rich.text import Text

from services.cli.connection import HERE, Where, find
from services.cli.failures import FAILED
from services.cli.health import Health, breaches_of, health_of
from services.cli.output import console, print_json, table
from services.runtime.clock import SystemClock


async def status(*, json: bool = False, where: Where = HERE) -> int:
    """Show how each service is. Exit status 1 when one does not answer, is not ready, or is late with its work.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    connection = find(where)
    services = await health_of(connection, SystemClock().now())
    breaches = await breaches_of(connection)
    healthy = not any(each.problems for each in services)
    if json:
        documents = {each.service: each.document() for each in services}
        print_json({"healthy": healthy, "services": documents, "breaches": breaches})
    else:
        _show(services, breaches)
    return 0 if healthy else FAILED


def _show(services: list[Health], breaches: dict[str, int] | None) -> None:
    out, lines = console(), table("service", "", "lag", "outbox", "parked", "timers due", "process", "address")
    for each in services:
        lines.add_row(
            each.service,
            _verdict(each),
            str(each.lag),
            f"{each.outbox_rows}, {each.outbox_age_seconds:.1f} s" if each.outbox_rows else "0",
            _parked(each),
            f"{each.timers_due}, {each.timers_late_seconds:.0f} s late" if each.timers_due else "0",
            str(each.pid or ""),
            each.url or "",
        )
    out.print(lines)
    if breaches is not None:
        told = f"{breaches['clocks']} clocks and {breaches['promises']} promises breached"
        out.print(f"\n{breaches['cases_open']} cases are open; {told}")
    for each in services:
        for problem in each.problems:
            out.print(Text(f"{each.service}: {problem}", style="bold red"))
        for warning in each.warnings:
            out.print(Text(f"{each.service}: {warning}", style="yellow"))
    if any(each.parked_dead for each in services):
        out.print(Text("records wait for a person: `caseloop parked list`", style="yellow"))


def _verdict(each: Health) -> Text:
    if each.problems:
        return Text("unhealthy", style="bold red")
    return Text("ready", style="green") if each.ready else Text("no address known", style="dim")


def _parked(each: Health) -> Any:  # noqa: ANN401 - a cell of rich
    if not each.parked_retry and not each.parked_dead:
        return "0"
    return Text(f"{each.parked_dead} dead, {each.parked_retry} retry", style="yellow")
