"""Rows 41 to 46: what when what comes in is poison, nonsense, new, repeated, out of order or racing?"""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson

from tests.chaos.load import slowest
from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.driver import BROKEN, RECEIVED, Driver
from tests.support.history import History, Verdict

SECONDS = 60.0
PATIENT = {"CASELOOP_RETRY_SECONDS_MAX": "2", "CASELOOP_ATTEMPTS_MAX": "50"}
SLOWER_MOST = 1.5
"""How much longer others may take for a poisoned case, and half a second."""


@row("41", "the handler fails for one case whatever comes for it; later it is mended", environment=PATIENT)
async def poison(rig: Rig) -> None:
    async with rig.another_driver() as driver, rig.database("router") as database:
        await driver.contact()
        await driver.until_told(1, SECONDS)
        (case_id,) = driver.told
        await rig.wait(1.0)
        good = await database.fetchval("SELECT body FROM cases WHERE case_id = $1", case_id)
        await database.execute("UPDATE cases SET body = '\\x00' WHERE case_id = $1", case_id)
        usual, began = slowest(rig.driver), time.perf_counter()
        for step in range(3):
            await driver.command("record_progress", case_id, step=f"step {step}", action="looked")
        await _parked(rig, 3)
        await rig.wait(4.0)
        slow = slowest(rig.driver, began)
        await database.execute("UPDATE cases SET body = $2 WHERE case_id = $1", case_id, good)
        await driver.command("record_progress", case_id, step="step 3", action="looked")
        await _parked(rig, 0)
        await rig.wait(1.0)
    rig.figures |= {"others_p99_before": usual, "others_p99_during": slow}
    if slow > usual * SLOWER_MOST + 0.5:
        rig.slow.append(f"other cases: p99 {slow:.2f} s instead of {usual:.2f} s")
    rig.must(lambda history, verdict: _in_order(history, verdict, case_id))


async def _parked(rig: Rig, number: int) -> None:
    """Wait until so many records of router wait for their retry."""
    query = "SELECT count(*) FROM parked WHERE status = 'retry'"
    async with rig.database("router") as database:
        await rig.until_table(database, query, number, SECONDS)


def _in_order(history: History, verdict: Verdict, case_id: str) -> None:
    """What waited in the lot came out in the order in which it went in."""
    steps = [
        record.data["step"]
        for record in {record.id: record for record in history.on("case.events")}.values()
        if record.key == case_id and record.kind == "caseloop.case.progressed.v1"
    ]
    if steps != sorted(steps) or len(steps) != 4:
        verdict.add("reordered", f"case {case_id}", f"its progress came as {steps}")


@row("42", "nonsense: no JSON, bad UTF-8, names twice, NaN, endless numbers, a thousand levels, NUL, a megabyte")
async def nonsense(rig: Rig) -> None:
    bodies = list(_nonsense())
    async with rig.another_driver() as driver:
        for number in range(5):
            for name, body in bodies:
                await driver.send_bytes("channel.chat", f"n-{name}-{number}", RECEIVED, body)
                await driver.send_bytes("case.commands", f"n-{name}-{number}", "caseloop.command.resolve.v1", body)
        await rig.wait(3.0)
    rig.parked = 10 * len(bodies)
    rig.must(lambda history, verdict: _all_parked(rig, history, verdict, rig.parked))


def _nonsense() -> Iterator[tuple[str, bytes]]:
    good = orjson.dumps(Driver.first("nonsense", 1))
    yield "empty", b""
    yield "words", b"hello, my app is broken"
    yield "list", b"[]"
    yield "utf8", good.replace(b"broken", b"br\xff\xfeken")
    yield "twice", good.replace(b'{"channel"', b'{"channel":"sms","channel"', 1)
    yield "nan", b'{"channel":NaN,' + good[1:]
    yield "endless", b'{"more":' + b"9" * 5000 + b"," + good[1:]
    yield "deep", b'{"more":' + b"[" * 1000 + b"]" * 1000 + b"," + good[1:]
    yield "nul", good.replace(b"broken", b"br\\u0000ken")
    yield "missing", b'{"channel":"chat"}'
    yield "long", good.replace(b"broken", b"x" * 1_100_000)


def _all_parked(rig: Rig, history: History, verdict: Verdict, expected: int) -> None:
    lot = [each for each in history.tables.parked if each.status == "dead"]
    rig.figures["parked"] = len(lot)
    rig.figures["reasons"] = len({each.reason for each in lot})
    if len(lot) != expected:
        verdict.add("lost", "the lots", f"{len(lot)} of {expected} records are there with a reason")


@row("43", "events of a newer version, with fields that nobody knows, and with fields that are gone")
async def newer_versions(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        for number in range(20):
            conversation = f"newer-{number}"
            data = driver.first(conversation, 5_000_000 + number)
            await driver.send("channel.chat", conversation, RECEIVED.replace("v1", "v2"), data)
            gone = {name: value for name, value in data.items() if name != "author"}
            await driver.send("channel.chat", conversation, RECEIVED, gone)
            await driver.send("channel.chat", conversation, RECEIVED, {**data, "mood": {"level": 3}})
        await rig.wait(3.0)
    rig.parked = 40
    rig.must(lambda history, verdict: _all_parked(rig, history, verdict, rig.parked))
    rig.must(lambda history, verdict: _one_case_each(history, verdict, [{f"newer-{number}"} for number in range(20)]))


@row("44", "one event comes 2 to 100 times at once, over several partitions and two replicas")
async def repeated_events(rig: Rig) -> None:
    await rig.replica("intake")
    await rig.wait(3.0)
    async with rig.another_driver() as driver:
        for number in range(40):
            conversation = f"again-{number}"
            data = driver.first(conversation, 6_000_000 + number)
            for copy in range(rig.dice.randint(2, 100)):
                key = f"{conversation}-{copy % 3}"
                await driver.send("channel.chat", key, RECEIVED, data, event_id=f"e-{conversation}")
        await rig.wait(2.0)
    rig.must(lambda history, verdict: _one_case_each(history, verdict, [{f"again-{number}"} for number in range(40)]))


@row("45", "commands of a case come in the wrong order and again in the right one")
async def wrong_order(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        for _ in range(60):
            await driver.contact()
        await driver.until_told(60, SECONDS)
        for case_id in driver.told:
            steps = ["resolve", "confirm_resolution", "make_promise"]
            rig.dice.shuffle(steps)
            for step in (*steps, "resolve", "confirm_resolution"):
                await driver.command(step, case_id, **_words(step))
        await driver.until_closed(60, SECONDS)


def _words(step: str) -> dict[str, object]:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    words: dict[str, dict[str, object]] = {
        "resolve": {"resolution": "repaired"},
        "confirm_resolution": {"solved": True},
        "make_promise": {"promise_id": str(uuid4()), "what": "a call", "due_at": later},
    }
    return words[step]


@row("46", "the first messages of one customer about one matter race each other on two channels")
async def racing_first_messages(rig: Rig) -> None:
    await rig.replica("intake")
    await rig.wait(3.0)
    async with rig.another_driver() as driver:
        pairs: list[set[str]] = []
        for number in range(150):
            names = {channel: f"race-{number}-{channel}" for channel in ("chat", "sms")}
            pairs.append(set(names.values()))
            for channel, conversation in names.items():
                data = {**driver.first(conversation, 7_000_000 + number), "channel": channel, "text": BROKEN}
                await driver.send(f"channel.{channel}", conversation, RECEIVED, data, event_id=f"e-{conversation}")
        await rig.wait(3.0)
    rig.must(lambda history, verdict: _one_case_each(history, verdict, pairs))


def _one_case_each(history: History, verdict: Verdict, conversations: list[set[str]]) -> None:
    """Each of these conversations, or of these groups of them, became one case."""
    opened: Counter[str] = Counter()
    for record in {record.id: record for record in history.on("case.events")}.values():
        if record.kind == "caseloop.case.opened.v1":
            opened[record.data["contact"]["conversation_id"]] += 1
    for group in conversations:
        cases = sum(opened[conversation] for conversation in group)
        if cases != 1:
            verdict.add("doubled" if cases else "lost", f"{sorted(group)}", f"became {cases} cases")
