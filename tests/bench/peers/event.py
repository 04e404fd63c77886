"""What is a case beside the product: which steps has it, and what is its first record?"""

import json
from collections.abc import Mapping

STEPS = ("open", "classify", "assign", "notify", "close")
CONTACTS = "contacts"
"""The topic of first records."""
CLOSED = "closed"
"""The topic of last ones."""
PARTITIONS = 4
BYTES = 531
"""How long a first record is: as long as an event of the product's journal."""
FACTS = len(STEPS) + 1
"""What a case leaves behind: its steps and the last record."""
TEXT = "The app shows error code ERR-500 and a white page after login, it is broken since this morning"


def first(case_id: str, at: str) -> bytes:
    """Return the first record of a case."""
    return _encoded(case_id, at, "n" * (BYTES - len(_encoded(case_id, at, ""))))


def _encoded(case_id: str, at: str, notes: str) -> bytes:
    event: Mapping[str, object] = {
        "case_id": case_id,
        "state": "new",
        "at": at,
        "text": TEXT,
        "facts": {"error_code": "ERR-500", "notes": notes},
    }
    return json.dumps(event, separators=(",", ":")).encode()
