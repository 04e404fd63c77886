"""Is a byte that changed on a broker's disk found, and the very event named?"""

import asyncio
import secrets
from pathlib import Path

import pytest

from deploy.local import KafkaServer, start_kafka
from services.cli.connection import Where, find
from services.cli.operations import apply_migrations, make_topics
from services.runtime import configuration
from tests.integration.cli.ledgers import audited, flipped
from tests.support.ledger import Ledger

CASES = 10


async def test_a_byte_that_changed_on_a_disk_is_found_and_named(
    private_kafka: KafkaServer,
    postgres_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prefix = f"t{secrets.token_hex(4)}."
    given = {
        "CASELOOP_TOPIC_PREFIX": prefix,
        "CASELOOP_TOPIC_PARTITIONS": "1",
        "CASELOOP_TOPIC_REPLICATION": "1",
    }
    monkeypatch.setattr(configuration, "ENVIRONMENT", given)
    where = Where(kafka=private_kafka.bootstrap, postgres=postgres_database)
    await apply_migrations(postgres_database)
    await make_topics(find(where))
    ledger = Ledger(find(where).settings(), postgres_database, "disk", 1)
    await ledger.write(CASES)
    await asyncio.to_thread(private_kafka.stop)
    _spoil(private_kafka.data_dir / "log" / f"{prefix}case.events-0", ledger.case_id(7))

    with await asyncio.to_thread(start_kafka, private_kafka.data_dir, port=private_kafka.port):
        told = await audited(where, capsys)

    problems = {(found["case_id"], found["problem"].partition(":")[0]) for found in told["findings"]}
    assert (None, "the batch from here on does not match its checksum") in problems
    assert (str(ledger.case_id(7)), "version 6") in problems
    assert len(problems) == 2
    assert told["case_events"] == CASES * 10


def _spoil(folder: Path, case_id: object) -> None:
    """Turn one bit in a word of a case's sixth event."""
    (segment,) = folder.glob("*.log")
    content = segment.read_bytes()
    mine = content.index(b'"case_id":"%b"' % str(case_id).encode(), content.index(b'"told_customer"'))
    segment.write_bytes(flipped(content, content.index(b'"step":"step"', mine) + len(b'"step":"s')))
