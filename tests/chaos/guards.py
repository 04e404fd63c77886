"""Which protections does the product have, and which row turns red without one? What nothing notices proves nothing."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WITHOUT = Path(__file__).with_name("without")


@dataclass(frozen=True, slots=True)
class Guard:
    """One protection, how it is taken away, and the row that must notice."""

    name: str
    what: str
    row: str
    module: str
    words: Sequence[tuple[str, str]]

    def environment(self) -> Mapping[str, str]:
        """Return what makes services run without it."""
        given = json.dumps({"module": self.module, "words": self.words})
        path = os.pathsep.join(filter(None, (str(WITHOUT), os.environ.get("PYTHONPATH"))))
        return {"CASELOOP_TEST_WITHOUT": given, "PYTHONPATH": path}


GUARDS = (
    Guard(
        "inbox",
        "a message id of the edge counts once",
        "44",
        "services.runtime.inbox",
        [("    if not guarded:\n", "    if guarded is not None:\n")],
    ),
    Guard(
        "offsets",
        "the mark moves only from where this owner remembers it",
        "8",
        "services.runtime.offsets",
        [(" AND koff.next_offset = moves.remembered", "")],
    ),
    Guard(
        "versions",
        "a version of a case that a reader has already is skipped",
        "5",
        "services.followup.batch",
        [("event.version <= state.version", "event.version < 0")],
    ),
    Guard(
        "order",
        "the relay sends the oldest rows first",
        "7",
        "services.runtime.relay",
        [
            ("ORDER BY id LIMIT $2", "ORDER BY id DESC LIMIT $2"),
            ("USING (id) ORDER BY id\n", "USING (id) ORDER BY id DESC\n"),
        ],
    ),
    Guard(
        "reference",
        "the provider gets the same reference for the same message",
        "4",
        "services.notify.senders.http",
        [('"client_reference": str(delivery_id)', '"client_reference": __import__("uuid").uuid4().hex')],
    ),
    Guard(
        "parking",
        "later records of a key wait behind the one in the lot",
        "41",
        "services.runtime.parking",
        [('return {(row["topic"], row["record_key"]) for row in rows}', "return set(rows[:0])")],
    ),
)
