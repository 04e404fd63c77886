"""What happened in a run, seen from the outside, and does everything that was promised hold?

``record`` reads it from real servers, ``judge`` names what does not hold.
"""

from tests.support.history.findings import Finding, Kind, Verdict
from tests.support.history.judging import Bounds, judge
from tests.support.history.model import Acceptance, Delivery, History, Parked, Record, Sent, Tables, Waiting

__all__ = [
    "Acceptance",
    "Bounds",
    "Delivery",
    "Finding",
    "History",
    "Kind",
    "Parked",
    "Record",
    "Sent",
    "Tables",
    "Verdict",
    "Waiting",
    "judge",
]
