"""In which order are topics and tables read, and what is proven by that?"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from services.cli.audit.cases import Cases
from services.cli.audit.deleted import check_missed
from services.cli.audit.deliveries import check_deliveries
from services.cli.audit.doors import CONTACT_CHECK, OWED, Door, message_id_of
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.parts import Order, Part
from services.cli.audit.plan import CHANNEL_TOPICS, Plan, Scope
from services.cli.audit.processes import read_all
from services.cli.audit.progress import Telling
from services.cli.audit.repairs import TellContact
from services.cli.audit.runs import Fact, Sorter, by_key
from services.cli.audit.second_look import look_again
from services.cli.audit.tables import PAGE, known_to, looking, parked_of
from services.cli.audit.timers import check_timers
from services.cli.connection import Connection
from services.runtime.database import Connection as Tables


@dataclass(slots=True)
class Proof:
    """What was read and what does not hold."""

    findings: Findings = field(default_factory=Findings)
    endings: Counter[str] = field(default_factory=Counter)
    oldest_in_flight_seconds: float | None = None
    cases: int = 0
    events: int = 0
    duplicates: int = 0
    repaired: int = 0
    promises: dict[str, int] = field(default_factory=dict)
    clocks: int = 0
    waiting: int = 0
    """Callbacks and surveys."""


async def prove(connection: Connection, scope: Scope, telling: Telling) -> Proof:
    """Return the proof over a range of time, or over everything that is kept."""
    proof = Proof()
    deadline = asyncio.get_running_loop().time() + scope.wait_seconds
    plan = Plan(connection, scope, proof.findings, deadline, connection.settings())
    telling.begin("waiting for what is on its way", 0)
    await plan.settle("intake", CHANNEL_TOPICS)
    await plan.settle("router", ["contacts"])
    await plan.settle("router", ["case.commands"], judged=False)
    await plan.settle("followup", ["case.events"])
    plan.read_to |= await plan.ends(["followups", "case.snapshots"])
    with tempfile.TemporaryDirectory(prefix="caseloop-audit-") as folder:
        await _read_and_judge(proof, plan, telling, Path(folder))
    return proof


async def _read_and_judge(proof: Proof, plan: Plan, telling: Telling, folder: Path) -> None:
    connection, findings = plan.connection, proof.findings
    parked = [await parked_of(connection.postgres, service) for service in ("intake", "router")]
    order = Order(plan.settings, folder, "part", plan.stretches, parked[0], parked[1], plan.reached)
    telling.begin("reading", sum(stretch.records for stretch in plan.stretches))
    parts = await read_all(order, telling.advance)
    _add_up(proof, parts)
    await _channel_events(proof, plan, parts, folder)
    await _contacts(findings, plan, parts, folder)
    telling.begin("looking at each case", 0)
    whole = plan.from_start, plan.all_clocks
    cases = Cases(connection.postgres, folder, plan.scope.now, findings, *whole, telling.advance)
    await cases.go_through([run for part in parts for run in part.case_runs])
    telling.begin("looking again where things were on their way", 0)
    await look_again(cases, plan)
    proof.waiting = await check_timers(connection.postgres, findings, plan.scope.now)
    await check_deliveries(connection.postgres, findings, plan.scope.now)
    await check_missed(connection.postgres, findings, plan.scope)
    proof.cases, proof.promises, proof.clocks = cases.cases, dict(cases.promises), cases.clocks
    proof.duplicates += cases.duplicates
    proof.repaired = cases.repaired


def _add_up(proof: Proof, parts: Sequence[Part]) -> None:
    for part in parts:
        proof.findings.join(part.findings)
        proof.endings.update(part.endings)
        proof.events += part.events
        proof.duplicates += part.duplicates


async def _channel_events(proof: Proof, plan: Plan, parts: Sequence[Part], folder: Path) -> None:
    """Count what became of every channel event."""
    unused = Sorter(folder, "unused")
    door = Door(unused, unused, proof.findings, {}, {}, {})
    waiting: list[Fact] = []
    async with looking(plan.connection.postgres, "intake") as intake:
        for _, facts in by_key([run for part in parts for run in part.event_runs], folder):
            for fact in door.judge(facts):
                waiting.append(fact)
                if len(waiting) >= PAGE:
                    await _ask_guard(door, intake, waiting)
                    waiting = []
        await _ask_guard(door, intake, waiting)
    proof.endings.update(door.endings)
    oldest = [at for at in (door.oldest_ms, *(part.oldest_ms for part in parts)) if at is not None]
    if oldest:
        proof.oldest_in_flight_seconds = max(plan.scope.now.timestamp() - min(oldest) / 1000, 0.0)


async def _ask_guard(door: Door, intake: Tables, waiting: Sequence[Fact]) -> None:
    known = await known_to(intake, [message_id_of(fact) for fact in waiting]) if waiting else ()
    for fact in waiting:
        if message_id_of(fact) in known:
            door.end("settled", fact[4])
        else:
            door.lost(fact)


async def _contacts(findings: Findings, plan: Plan, parts: Sequence[Part], folder: Path) -> None:
    """Check that every understood demand is on the journal."""
    async with looking(plan.connection.postgres, "router") as router:
        for key, facts in by_key([run for part in parts for run in part.contact_runs], folder):
            owed = _owed(facts)
            if owed is None:
                continue
            spot = Spot("contacts", owed[1], owed[2])
            if spot.offset < plan.reached[spot.topic, spot.partition]:
                settled = bool(await known_to(router, [UUID(bytes=key)]))
                findings.add(_untold(spot, settled=settled))


def _owed(facts: Iterable[Fact]) -> Fact | None:
    """Return the contact of these facts that owes an event and of which the journal tells nothing."""
    owed: Fact | None = None
    for fact in facts:
        if fact[0] != OWED:
            return None
        owed = owed or fact
    return owed


def _untold(spot: Spot, *, settled: bool) -> Finding:
    problem = "its demand has no event on the journal"
    if settled:
        advice = "the router has settled it and will not look again: open the case by hand. This cannot be repaired"
        return Finding(CONTACT_CHECK, str(spot), problem, advice, spot=spot)
    advice = "`caseloop audit --repair` lets intake say it again; if the router has it after all, nothing happens"
    return Finding(
        CONTACT_CHECK, str(spot), problem, advice, spot=spot, repair=TellContact(spot.partition, spot.offset)
    )
