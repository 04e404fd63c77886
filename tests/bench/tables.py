"""Where does each microsecond of a case go? The tables of W4cpu, for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.bench.profile import PARTS

KINDS = """\
Microseconds of processor time for each case. *read*: the Kafka client, and handing over what it fetched; *decode*:
headers and bytes to messages; *decide*: handlers and domain; *SQL*: the driver, and rows made and read; *encode*:
messages to bytes, headers, frames of the outbox; *produce*: the relay and the Kafka client; *HTTP*: providers and
their receipts, and the own port; *loop*: the event loop and its sockets; *rest*: bookkeeping, measures, log.
"""
SAMPLED = """\
The sums were counted while nobody looked; how a service divides its own comes from {samples:,} samples of a second
run. A thread that waits for a processor is sampled like one that has it, so what begins a turn (*loop*) is rather less
than is said here.
"""
WHO = {"kafka": "Kafka", "postgres": "PostgreSQL", "load": "the load", "nobody": "not ours"}
STATEMENTS = """\
PostgreSQL's statements by the time they take, which is more than processor time: a lock or the disk is waited for, too.
"""
UPDATED = """\
How many updates of a table stay on their page (HOT); each of the others writes into every index of the table.
"""


def cost(details: Mapping[str, Any]) -> str:
    """Return the tables."""
    return "\n".join([
        KINDS,
        _table(("service", *PARTS, "sum"), _services(details["services"])),
        SAMPLED.format(samples=sum(details["samples"].values())),
        _table(("who", "for what", "µs a case"), _around(details), words=2),
        STATEMENTS,
        _table(("statement", "calls a case", "ms a case", "rows a case", "WAL bytes a case"), _statements(details)),
        UPDATED,
        _table(("table", "updates a case", "on their page"), _updates(details)),
    ])  # fmt: skip


def _services(services: Mapping[str, Mapping[str, int]]) -> Iterator[Sequence[str]]:
    for name, parts in services.items():
        yield (name, *_numbers(parts[part] for part in PARTS), f"{sum(parts.values()):,}")
    columns = [sum(parts[part] for parts in services.values()) for part in PARTS]
    yield ("sum", *_numbers(columns), f"{sum(columns):,}")


def _around(details: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield everything that used a processor, and what nobody did: the sum is the whole time of them all."""
    services = sum(value for parts in details["services"].values() for value in parts.values())
    yield ("the services", "above", f"{services:,}")
    for who, parts in details["around"].items():
        for what, value in parts.items():
            yield (WHO[who], what.replace("_", " "), f"{value:,}")
    yield ("everybody", "", f"{services + sum(sum(parts.values()) for parts in details['around'].values()):,}")


def _statements(details: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for line in details["statements"]:
        numbers = [f"{line[name]:,.3g}" for name in ("calls", "milliseconds", "rows")]
        statement = line["statement"].replace("|", "\\|")
        yield (f"`{statement}`", *numbers, f"{line['wal_bytes']:,.0f}")


def _updates(details: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for line in details["updates"]:
        yield (f"`{line['table']}`", f"{line['updates']:,}", f"{line['hot']:.0%}")


def _numbers(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" if value else "" for value in values]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table whose first columns are words and whose others are numbers."""
    rule = ["---"] * words + ["--:"] * (len(columns) - words)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (columns, rule, *rows))
