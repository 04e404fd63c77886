"""W4p: how does the closed loop compare with what a user would build or pick instead, in the same run?

Each takes one record through five durable steps to one ``closed`` record; the product does more (``closed_loop.py``).
In every round the product and each peer that is installed are measured in turn, alike, on the same servers, each with a
database and topics of its own, all at their best documented settings; in the first round each is measured at its
defaults, too, unless it has to be quick (the product on a second pair of servers: its topics are cut otherwise). A peer
whose store does not show five steps of every case has no figure.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench.captured import mark
from tests.bench.customers import Customers, customers_of
from tests.bench.peers.event import FACTS as PEER_FACTS
from tests.bench.peers.event import STEPS
from tests.bench.peers.registry import PEERS
from tests.bench.peers.stand import Peer, Stand, Stored, a_stand
from tests.bench.processor import each, used
from tests.bench.stand import beside
from tests.bench.workload import Ground, Measured, NoResultError, percentile
from tests.bench.workloads.closed_loop import DEADLINE_SECONDS, FACTS, one_by_one, product, saturate, warmed

CASES = 2000
WARM_SHARE = 4
"""One case for so many that are measured goes before, so that each is warm: statements planned, code compiled."""
QUICK_SHARE = 3
ONE_MACHINE = {"CASELOOP_TOPIC_PARTITIONS": "4"}
"""Like every peer the product has the settings that its documentation gives for a machine like this."""
ALONE, ALONE_QUICK = 20, 10
TICK_SECONDS = 0.002
LOOK_SECONDS = 0.1
STORED_SECONDS = 30.0
ASSIGNED = (
    "`alone_assigned_ms`: of the product until the case has its handler; a peer tells nothing before its `closed` "
    "record, so of a peer until that."
)

Facts = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one of them did in one round."""

    cases_per_second: float
    facts_per_second: float
    alone_assigned_ms: float
    """From the contact to the handler; of a peer, which tells nothing before its ``closed`` record, to that."""
    alone_closed_ms: float
    half_p50_ms: float
    half_p99_ms: float
    cpu: Mapping[str, float]
    """Milliseconds of a case by process, without those of the customers."""

    def compared(self) -> Iterator[tuple[str, float]]:
        """Return the figures that are set beside another's."""
        yield "cases_per_second", self.cases_per_second
        yield "facts_per_second", self.facts_per_second
        yield "alone_assigned_ms", self.alone_assigned_ms
        yield "alone_closed_ms", self.alone_closed_ms
        yield "half_p50_ms", self.half_p50_ms
        yield "half_p99_ms", self.half_p99_ms
        yield "cpu_ms_per_case", self.cpu["sum"]


async def run(ground: Ground) -> Measured:
    """Measure them in turn; a figure with a limit has the product as product and the peer as limit."""
    measured = Measured()
    missing = {peer.NAME: peer.missing() for peer in PEERS}
    installed = [peer for peer in PEERS if not missing[peer.NAME]]
    notes: list[str] = []
    for turn in range(1 if ground.quick else ground.runs):
        ours = await _product(ground, ONE_MACHINE)
        _note(measured, "product", ours)
        if turn == 0 and not ground.quick:
            with beside(ground, "defaults", {}) as other:
                _note(measured, "product_defaults", await _product(other, {}))
            notes.append("product at its defaults: 12 partitions a topic.")
        for peer in installed:
            theirs = await _peer(ground, peer)
            _note(measured, peer.NAME, theirs)
            for (name, value), (_, limit) in zip(ours.compared(), theirs.compared(), strict=True):
                measured.add(f"W4p_product_to_{peer.NAME}_{name}", value, limit)
            if turn == 0 and not ground.quick:  # in every round, the workload would take more than ten minutes
                notes.append(await _at_defaults(measured, ground, peer))
    measured.details["notes"] = [
        "product: 4 partitions a topic instead of 12, as the README says for a machine that stays alone.",
        ASSIGNED,
        *(f"{peer.NAME}: {peer.SETTINGS}." for peer in installed),
        *notes,
        *(f"{name} was not measured: `{how}` installs it." for name, how in missing.items() if how),
    ]
    return measured


def _note(measured: Measured, name: str, trial: Trial) -> None:
    for figure, value in trial.compared():
        measured.add(f"W4p_{name}_{figure}", value)
    measured.details.setdefault(f"{name}_cpu_ms_per_case", []).append(trial.cpu)


async def _product(ground: Ground, environment: Mapping[str, str]) -> Trial:
    cases = ground.size(CASES, CASES // QUICK_SHARE)
    with product(ground, **environment) as system:
        driver = await warmed(system, cases // WARM_SHARE)

        async def facts() -> int:
            return sum(number for place, number in (await mark(system)).ends.items() if place.topic in FACTS)

        names = {pid: name for name, pid in system.ready["pids"].items()}
        trial = await _trial(ground, driver, facts, cases, names)
        await driver.stop()
        return trial


async def _at_defaults(measured: Measured, ground: Ground, peer: Peer) -> str:
    """Note how a peer does at its defaults and return the words; what it loses there spoils nothing else."""
    try:
        _note(measured, f"{peer.NAME}_defaults", await _peer(ground, peer, defaults=True))
    except NoResultError as problem:
        return f"{peer.NAME} at its defaults ({peer.DEFAULTS}) has no figures: {problem}."
    return f"{peer.NAME} at its defaults: {peer.DEFAULTS}."


async def _peer(ground: Ground, peer: Peer, *, defaults: bool = False) -> Trial:
    cases = ground.size(peer.CASES, peer.CASES // QUICK_SHARE)
    async with (
        a_stand(ground, peer.NAME, peer.TOPICS) as stand,
        peer.running(stand, defaults=defaults),
        customers_of(stand.kafka, stand.prefix) as customers,
    ):

        async def facts() -> int:
            return customers.closed * PEER_FACTS

        await saturate(customers, cases // WARM_SHARE)
        trial = await _trial(ground, customers, facts, cases, {})
        await checked(peer, stand, customers.closed)
        return trial


async def _trial(ground: Ground, customers: Customers, facts: Facts, cases: int, names: Mapping[int, str]) -> Trial:
    """Measure one case after the other, as many as can be, and half as many."""
    alone = await one_by_one(customers, ground.size(ALONE, ALONE_QUICK))
    known, before = await facts(), used(names)
    seconds = await saturate(customers, cases)
    cpu, found = each(before, used(names), cases, 1000), await facts() - known
    await customers.until_quiet(DEADLINE_SECONDS)
    rate = cases / seconds
    half = await _paced(customers, rate / 2, ground.size(8, 4))
    return Trial(
        rate,
        found / seconds,
        1000 * statistics.median((journey.assigned if names else journey.closed) - journey.sent for journey in alone),
        1000 * statistics.median(journey.closed - journey.sent for journey in alone),
        1000 * percentile(half, 0.5),
        1000 * percentile(half, 0.99),
        {name: value for name, value in cpu.items() if name != "driver"} | {"sum": cpu["sum"] - cpu["driver"]},
    )


async def _paced(customers: Customers, pace: float, seconds: int) -> list[float]:
    """Send so many a second and return how long each took from when it was due; who sends late is late for them too."""
    due: dict[str, float] = {}
    number = round(pace * seconds)

    async def send() -> None:
        began = time.perf_counter()
        while len(due) < number:
            for _ in range(len(due), min(int((time.perf_counter() - began) * pace) + 1, number)):
                at = began + len(due) / pace
                due[await customers.contact()] = at
            await asyncio.sleep(TICK_SECONDS)

    try:
        await asyncio.gather(send(), customers.until_closed(customers.closed + number, DEADLINE_SECONDS))
    except TimeoutError:
        raise NoResultError(f"{number} cases at {pace:.0f} a second were never all closed") from None
    return [customers.journeys[name].closed - at for name, at in due.items()]


async def checked(peer: Peer, stand: Stand, closed: int, seconds: float = STORED_SECONDS) -> None:
    """Refuse a figure unless the peer has kept all steps of every case; the end of the last one may take a while."""
    wanted, deadline = Stored(closed, closed * len(STEPS)), time.perf_counter() + seconds
    while (found := await peer.stored(stand)) != wanted:
        if time.perf_counter() > deadline:
            raise NoResultError(f"{peer.NAME} has kept {found}, and {wanted} would be right")
        await asyncio.sleep(LOOK_SECONDS)
