"""Is a peer measured only when every case went through its five steps and was closed once?"""

import json
from pathlib import Path

import pytest
from faststream.kafka import KafkaBroker

from tests.bench.customers import customers_of
from tests.bench.peers import plain
from tests.bench.peers.event import BYTES, CLOSED, STEPS, first
from tests.bench.peers.registry import PEERS
from tests.bench.peers.stand import INSTALL, Stored, a_stand
from tests.bench.workload import Ground, NoResultError
from tests.bench.workloads.beside_peers import checked
from tests.bench.workloads.closed_loop import one_by_one

AT = "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize("case_id", ["a", "0" * 32])
def test_a_first_record_is_as_long_as_an_event_of_the_journal(case_id: str) -> None:
    record = first(case_id, AT)

    assert len(record) == BYTES
    assert json.loads(record)["case_id"] == case_id


def test_every_peer_says_how_it_runs_and_what_it_lacks() -> None:
    assert len({peer.NAME for peer in PEERS}) == len(PEERS)
    for peer in PEERS:
        assert peer.SETTINGS
        assert peer.DEFAULTS
        assert peer.missing() in {"", INSTALL}


def test_the_library_does_by_default_what_is_said_of_its_defaults() -> None:
    assert f"({KafkaBroker().subscriber('any').ack_policy}:" in plain.DEFAULTS


@pytest.mark.parametrize("defaults", [False, True], ids=["best", "defaults"])
async def test_a_peer_is_refused_that_closes_twice_or_lacks_a_step(
    kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path, *, defaults: bool
) -> None:
    ground = Ground(kafka_bootstrap, postgres_dsn, tmp_path)
    async with (
        a_stand(ground, plain.NAME, plain.TOPICS) as stand,
        plain.running(stand, defaults=defaults),
        customers_of(stand.kafka, stand.prefix) as customers,
    ):
        journeys = await one_by_one(customers, 2)
        assert all(journey.closed > journey.sent for journey in journeys)
        assert await plain.stored(stand) == Stored(2, 2 * len(STEPS))
        await checked(plain, stand, 2)

        with pytest.raises(NoResultError, match=r"plain has kept Stored\(cases=2, steps=10\), and Stored\(cases=3"):
            await checked(plain, stand, 3, seconds=0)

        again = next(iter(customers.journeys)).encode()
        await customers.producer.send_and_wait(stand.prefix + CLOSED, b"{}", key=again)
        with pytest.raises(NoResultError, match="closed twice"):
            await customers.until_closed(3, 30)
