"""What does a test of a command stand on: topics and schemas of its own on real servers?"""

import secrets

import pytest

from services.cli.connection import Where, find
from services.cli.operations import apply_migrations, make_topics
from services.runtime import configuration
from tests.integration.cli.ledgers import CASES, Fill, Spoiling
from tests.support.ledger import Ledger


@pytest.fixture
async def where(postgres_database: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> Where:
    """Give the address of a system with nothing in it: topics of its own, and the tables of every service."""
    given = {
        "CASELOOP_TOPIC_PREFIX": f"t{secrets.token_hex(4)}.",
        "CASELOOP_TOPIC_PARTITIONS": "2",
        "CASELOOP_TOPIC_REPLICATION": "1",
    }
    monkeypatch.setattr(configuration, "ENVIRONMENT", given)
    there = Where(kafka=kafka_bootstrap, postgres=postgres_database)
    await apply_migrations(postgres_database)
    await make_topics(find(there))
    return there


@pytest.fixture
def fill(where: Where) -> Fill:
    """Write whole cases to the system, spoilt or not."""

    async def write(spoiling: Spoiling | None = None) -> Ledger:
        connection = find(where)
        ledger = Ledger(connection.settings(), connection.postgres, "ledger", 2, recorded=True)
        if spoiling is not None:
            ledger.spoil = spoiling(ledger)
        await ledger.write(CASES)
        return ledger

    return write
