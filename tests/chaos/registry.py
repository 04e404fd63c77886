"""Which rows of the fault matrix are there? A row is one function: it does the harm, the rig does the rest."""

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.driver import DEPARTMENTS

if TYPE_CHECKING:
    from tests.chaos.rig import Rig

Act = Callable[["Rig"], Awaitable[None]]
FAMILIES = ("processes", "brokers", "databases", "groups", "provider", "timers", "inputs", "agents", "pressure")
"""Modules of this folder that hold rows."""
ROWS: dict[str, "Row"] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix, and what it needs."""

    number: str
    title: str
    act: Act
    policy: str | None = None
    """A shipped pack instead of the standard."""
    environment: Mapping[str, str] = field(default_factory=dict)
    departments: Sequence[str] = DEPARTMENTS
    """Where agents work who accept every offer at once."""
    rate: float = 30.0
    """Cases per second of the load."""
    late_seconds: float = 30.0
    """So late a timer may be, because of the fault."""
    three_brokers: bool = False
    """Three brokers for this row alone, with every topic on all three."""
    own_postgres: bool = False
    """A server for this row alone, on a disk of its own, because the row ends it."""
    postgres_megabytes: int = 0
    """The size of that disk, which only root can give; 0: the machine's own."""
    postgres_door: bool = False
    """Whether the services reach PostgreSQL through ``rig.postgres_door``."""


def row(number: str, title: str, **needs: Any) -> Callable[[Act], Act]:  # noqa: ANN401 - the fields of a row
    """Let this function be a row of the matrix."""

    def kept(act: Act) -> Act:
        if number in ROWS:
            raise AssertionError(f"there are two rows {number}")
        ROWS[number] = Row(number, title, act, **needs)
        return act

    return kept


def rows(*, beside: bool = True) -> list[Row]:
    """Return all rows in the order of the matrix; those ``beside`` it have names instead of numbers and come last."""
    for family in FAMILIES:
        importlib.import_module(f"tests.chaos.{family}")
    found = sorted(ROWS.values(), key=lambda each: int(each.number) if each.number.isdigit() else 1000)
    return [each for each in found if beside or each.number.isdigit()]
