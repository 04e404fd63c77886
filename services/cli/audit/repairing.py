"""How is what was lost said again?

Only through doors that are there anyway: a gateway's topic, the outbox and the timers of the service that owns the
matter. Whatever was not lost after all is recognised as a repeat. Each repair leaves a row in the ``repairs`` of the
service, in the same transaction.
"""

import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

import asyncpg

from services.cli.audit import saying
from services.cli.audit.findings import Finding
from services.cli.audit.repairs import PublishAgain, Repair, SetTimer, TellContact, TellEvents, TellSnapshot
from services.cli.connection import Connection
from services.cli.failures import CommandError
from services.cli.schemas import schema
from services.runtime import outbox
from services.runtime.database import Connection as Tables
from services.runtime.frames import Frame
from services.runtime.timers import Timer, schedule

KEEP = """
-- repairs.keep: who had what said again, and why
INSERT INTO repairs (subject, problem, repair, by_whom, repaired_at) VALUES ($1, $2, $3, $4, $5)
"""

IS_SET = """
-- repairs.is_set: is this timer there after all?
SELECT EXISTS (SELECT FROM timers WHERE timer_id = $1)
"""

_GONE = "the topic no longer keeps the record"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a repair."""

    where: str
    words: str
    outcome: str

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"where": self.where, "repair": self.words, "outcome": self.outcome}


async def repair_all(
    connection: Connection, findings: Sequence[Finding], now: datetime, *, act: bool
) -> list[Repaired]:
    """Do what can be done about these findings, or only say what it would be."""
    done: list[Repaired] = []
    for finding, repair in _once(findings):
        words = repair.words()
        if not act:
            outcome = "would"
        else:
            refusal = await _tried(connection, finding, repair, now)
            outcome = "done" if refusal is None else f"not done, {refusal}"
        done.append(Repaired(finding.where, words, outcome))
    return done


async def _tried(connection: Connection, finding: Finding, repair: Repair, now: datetime) -> str | None:
    """Do it and return ``None``, or why it cannot be done: spoilt data keep no other repair from being done."""
    try:
        return await _repair(connection, finding, repair, now)
    except CommandError as problem:
        return str(problem)
    except (ValueError, LookupError, TypeError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return f"what it needs cannot be read ({type(problem).__name__})"


def _once(findings: Sequence[Finding]) -> Iterator[tuple[Finding, Repair]]:
    seen: set[Repair] = set()
    for finding in findings:
        if finding.repair is not None and finding.repair not in seen:
            seen.add(finding.repair)
            yield finding, finding.repair


async def _repair(connection: Connection, finding: Finding, repair: Repair, now: datetime) -> str | None:
    """Do it and return ``None``, or why it cannot be done."""
    match repair:
        case PublishAgain():
            return await _publish_again(connection, finding, repair, now)
        case TellContact():
            record = await saying.record_at(connection, "contacts", repair.partition, repair.offset)
            frames = [saying.frame_of(connection, record)] if record is not None else _GONE
            return await _say(connection, "intake", finding, frames, now)
        case TellEvents():
            frames = await saying.events_of(connection, repair)
            return await _say(connection, "router", finding, frames, now)
        case TellSnapshot():
            return await _tell_snapshot(connection, finding, repair, now)
        case SetTimer():
            return await _set_timer(connection, finding, repair, now)
        case _:
            assert_never(repair)


async def _publish_again(connection: Connection, finding: Finding, repair: PublishAgain, now: datetime) -> str | None:
    record = await saying.record_at(connection, repair.topic, repair.partition, repair.offset)
    if record is None:
        return _GONE
    async with schema(connection.postgres, "intake") as tables:
        await _keep(tables, finding, now)
    await saying.publish_again(connection, record)
    return None


async def _say(
    connection: Connection, service: str, finding: Finding, frames: Sequence[Frame] | str, now: datetime
) -> str | None:
    """Let a service say this; instead of it there may be the reason why that cannot be."""
    if isinstance(frames, str):
        return frames
    async with schema(connection.postgres, service) as tables, tables.transaction():
        await _keep(tables, finding, now)
        await outbox.store(tables, frames)
    return None


async def _tell_snapshot(connection: Connection, finding: Finding, repair: TellSnapshot, now: datetime) -> str | None:
    async with schema(connection.postgres, "router") as tables, tables.transaction():
        frame = await saying.snapshot_of(connection, tables, repair.case_id, now)
        if frame is None:
            return "the router's table has no such case"
        await _keep(tables, finding, now)
        await outbox.store(tables, [frame])
    return None


async def _set_timer(connection: Connection, finding: Finding, repair: SetTimer, now: datetime) -> str | None:
    async with schema(connection.postgres, repair.service) as tables, tables.transaction():
        if await tables.fetchval(IS_SET, repair.timer_id):
            return "it is there meanwhile"
        due_at = datetime.fromisoformat(repair.due_at) if repair.due_at else now
        await schedule(tables, [Timer(repair.timer_id, due_at, repair.kind, str(repair.case_id), {})])
        await _keep(tables, finding, now)
    return None


async def _keep(tables: Tables, finding: Finding, now: datetime) -> None:
    words = finding.repair.words() if finding.repair is not None else ""
    await tables.execute(KEEP, finding.where, finding.problem, words, getpass.getuser(), now)
