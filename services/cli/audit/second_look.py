"""Does a doubt about a case remain when all that was on its way has arrived?

The tables of the cases in doubt are read again first; then what their services had still to say is waited for; then
everything that the topics have got since is read. What does not hold now is a finding.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from services.cli.audit.casefile import CaseFile, case_file, judge
from services.cli.audit.cases import Cases, gathered, timers_of
from services.cli.audit.parts import Order, Stretch, read
from services.cli.audit.plan import Plan
from services.cli.audit.runs import Fact, by_key
from services.cli.audit.tables import PAGE, Stored, cases_of, looking
from services.cli.audit.timers import TIMED

TOPICS = ("case.events", "followups", "case.snapshots")


async def look_again(cases: Cases, plan: Plan) -> None:
    """Conclude on every case in doubt."""
    if not cases.doubtful:
        return
    stored, timers = await _tables(cases)
    for service in TIMED:
        await plan.said(service)
    for case_id, facts in (await _since(cases, plan)).items():
        before = case_file(case_id, cases.doubtful[case_id], None, from_start=cases.from_start)
        row, to_be_told = stored.get(case_id, (None, False))
        file = case_file(case_id, [*cases.doubtful[case_id], *facts], row, from_start=cases.from_start)
        file.seen, file.to_be_told = before.seen, to_be_told
        judge(file, timers, cases.now, whole=cases.from_start, all_clocks=cases.all_clocks)
        cases.conclude(file)


async def _tables(cases: Cases) -> tuple[dict[UUID, tuple[Stored, bool]], set[UUID]]:
    """Return what the tables hold of the cases in doubt, and which timers are set."""
    stored: dict[UUID, tuple[Stored, bool]] = {}
    timers: set[UUID] = set()
    ids = list(cases.doubtful)
    async with AsyncExitStack() as stack:
        connections = {name: await stack.enter_async_context(looking(cases.dsn, name)) for name in TIMED}
        for begin in range(0, len(ids), PAGE):
            some = ids[begin : begin + PAGE]
            found = {row.case_id: (row, due) for row, due in await cases_of(connections["router"], some)}
            stored |= found
            timers |= await timers_of(_files(some, cases, found), connections)
    return stored, timers


def _files(ids: Sequence[UUID], cases: Cases, stored: dict[UUID, tuple[Stored, bool]]) -> list[CaseFile]:
    return [
        case_file(case_id, cases.doubtful[case_id], stored.get(case_id, (None,))[0], from_start=cases.from_start)
        for case_id in ids
    ]


async def _since(cases: Cases, plan: Plan) -> dict[UUID, list[Fact]]:
    """Return what the topics have got of these cases since they were read."""
    facts: dict[UUID, list[Fact]] = {case_id: [] for case_id in cases.doubtful}
    ends = await plan.ends(TOPICS)
    stretches = [Stretch(*place, plan.read_to.get(place, 0), end) for place, end in ends.items()]
    order = Order(plan.settings, cases.folder, "again", stretches, {}, {}, {})
    part = await read(order, lambda _: None)
    cases.findings.join(part.findings)
    for key, found in by_key(part.case_runs, cases.folder):
        if (case_id := UUID(bytes=key)) in facts:
            facts[case_id] += gathered(found)
    return facts
