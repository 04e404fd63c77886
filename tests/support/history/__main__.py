"""How was the example recorded? ``python -m tests.support.history FILE`` plays a small run and keeps its history."""

import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

from services.runtime.settings import STANDARD_POLICY
from tests.support.driver import DEPARTMENTS, Driver, sent_by
from tests.support.history import judge
from tests.support.history.files import save
from tests.support.history.recording import Addresses, quiet, record
from tests.support.system import System, running_system

PROMISED_SECONDS = 1.5
SECONDS = 60.0


async def _play(system: System, path: Path) -> None:
    """Close three cases, one of them sent twice, and break a promise on a fourth."""
    addresses = Addresses(system.kafka, system.postgres, system.sms)
    closing, breaking = (
        Driver(system.kafka, "a", said=[]),
        Driver(system.kafka, "b", said=[], closing=False, _number=count(100)),
    )
    for driver in (closing, breaking):
        await driver.start()
    await closing.agents(1, DEPARTMENTS)
    for number in range(3):
        await closing.contact(copies=1 + (number == 0))
    await breaking.contact()
    await breaking.until_told(1, SECONDS)
    due = datetime.now(UTC) + timedelta(seconds=PROMISED_SECONDS)
    (case_id,) = breaking.told
    await breaking.command(
        "make_promise", case_id, promise_id=str(uuid4()), what="a call", due_at=due.isoformat().replace("+00:00", "Z")
    )
    await closing.until_closed(3, SECONDS)
    for number in range(3):
        await breaking.say("b-100", {**breaking.first("b-100", 100), "message_id": f"more-{number}"})
    await asyncio.sleep(PROMISED_SECONDS + 1)
    for driver in (closing, breaking):
        await driver.stop()
    if not await quiet(addresses, SECONDS):
        raise SystemExit("the run did not come to rest")
    history = await record(addresses, sent_by(closing) + sent_by(breaking))
    verdict = judge(history)
    if verdict.findings:
        raise SystemExit(str(verdict))
    save(history, path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        policy = str(STANDARD_POLICY.with_name("demo.toml"))
        with running_system(Path(folder), "--policy", policy) as running:
            asyncio.run(_play(running, Path(sys.argv[1])))
