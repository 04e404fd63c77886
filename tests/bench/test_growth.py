"""Does the workload ``growth`` fill every table that closed cases fill?"""

import re
from pathlib import Path

from tests.bench.workloads.growth import TABLES

SERVICES = Path(__file__).parents[2] / "services"
CREATED = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
SMALL = {
    "intake.customer_merges": "a merge of customers, not a case",
    "intake.mail_threads": "e-mail; the loop's channel is chat",
    "intake.mail_senders": "forgotten after two hours",
    "intake.surveys": "gone when a survey ends",
    "router.agents": "people",
    "router.matchers": "departments",
    "router.snapshots_due": "gone when the state was told",
    "followup.handles": "gone when a callback or a survey ends",
    "followup.greetings": "claimed by the first case",
    "notify.early_receipts": "taken up by the delivery's outcome",
}
"""Which tables hold no more when more closed cases are stored, and why; of the runtime's only the inbox does."""


def test_every_table_of_a_service_is_filled_or_stays_small() -> None:
    created = {
        f"{file.parents[1].name}.{name}"
        for file in SERVICES.glob("*/migrations/*.sql")
        if file.parents[1].name != "runtime"
        for name in CREATED.findall(file.read_text("utf-8"))
    }

    filled = {f"{schema}.{table}" for schema, table in TABLES if table != "inbox"}

    assert created == filled | SMALL.keys()
    assert not filled & SMALL.keys()


def test_the_inbox_is_filled_wherever_messages_come_from_outside() -> None:
    assert {schema for schema, table in TABLES if table == "inbox"} == {"intake", "router", "followup", "notify"}
