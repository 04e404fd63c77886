"""Does the README's table of clocks say what the shipped policy says?"""

from pathlib import Path

from contracts.policy.followup import ClockPolicy
from tests.unit.followup.story import STANDARD

README = Path(__file__).resolve().parents[3] / "services" / "followup" / "README.md"
BEGIN, END = "by tests/unit/followup/test_readme.py -->\n", "<!-- /clocks -->"
UNITS = (("h", 3600), ("min", 60), ("s", 1))


def clock_table() -> str:
    """Return the table of the shipped clocks; paste it into the README when this test asks for it."""
    rows = [_row(name, clock) for name, clock in STANDARD.followup.clocks.items()]
    head = ["clock", "of", "starts with", "met by", "target", "calendar", "warns at"]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def _row(name: str, clock: ClockPolicy) -> list[str]:
    kinds = ", ".join((*clock.channels, *clock.scenarios, *clock.severities)) or "all"
    parts = (clock.by_severity, clock.by_scenario, clock.by_channel)
    special = [(str(kind), seconds) for part in parts for kind, seconds in part.items()]
    targets = [_length(clock.target_seconds), *(f"{kind} {_length(seconds)}" for kind, seconds in special)]
    warnings = ", ".join(f"{percent} %" for percent in clock.warnings) or "never"
    return [
        f"`{name}`",
        kinds,
        ", ".join(clock.start),
        ", ".join(clock.meet),
        "; ".join(targets),
        clock.calendar,
        warnings,
    ]


def _length(seconds: int) -> str:
    unit, size = next((unit, size) for unit, size in UNITS if seconds % size == 0 and seconds >= size)
    return f"{seconds // size} {unit}"


def test_the_table_of_clocks_is_that_of_the_shipped_policy() -> None:
    text = README.read_text(encoding="utf-8")

    assert text.split(BEGIN)[1].split(END)[0] == clock_table()
