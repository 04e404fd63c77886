"""Does any message to a customer wait beyond its time?"""

from datetime import datetime

from services.cli.audit.findings import Finding, Findings
from services.cli.audit.tables import looking
from services.cli.audit.timers import OVERDUE, OVERDUE_MAX

CHECK = "delivery"

STUCK = """
-- audit.deliveries_stuck: what should have gone out or been looked up long ago, and what nobody looks up any more
(
    SELECT delivery_id, case_id, state, due_at FROM deliveries
    WHERE state IN ('queued', 'sending', 'unknown') AND due_at < $1 ORDER BY due_at LIMIT $2
) UNION ALL (
    SELECT delivery_id, case_id, state, due_at FROM deliveries
    WHERE state IN ('queued', 'sending', 'unknown') AND due_at IS NULL LIMIT $2
)
"""
_ADVICE_LATE = "is notify running, does the provider answer? `caseloop status`; it goes on by itself as soon as they do"
_ADVICE_UNKNOWN = "ask the provider whether it has a message with this client reference, and tell the customer if not"


async def check_deliveries(dsn: str, findings: Findings, now: datetime) -> None:
    """Add the messages that are stuck; some of each kind are named, they mostly have one cause."""
    async with looking(dsn, "notify") as connection:
        for row in await connection.fetch(STUCK, now - OVERDUE, OVERDUE_MAX):
            where = f"notify: {row['state']} delivery {row['delivery_id']}"
            if row["due_at"] is None:
                problem, advice = "nobody knows whether it was sent, and nobody asks any more", _ADVICE_UNKNOWN
            else:
                late = (now - row["due_at"]).total_seconds()
                problem, advice = f"it should have gone on {late:.0f} s ago", _ADVICE_LATE
            findings.add(Finding(CHECK, where, problem, advice, row["case_id"]))
