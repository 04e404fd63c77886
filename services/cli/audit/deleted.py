"""Did the brokers delete records before a service had read them?

Nobody can read them any more, so nothing else that is looked at would show it: a channel event that is gone is missing
in every count. The services keep what they missed.
"""

from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.plan import Scope
from services.cli.audit.tables import PAGE, looking
from services.cli.connection import SERVICES

CHECK = "missed"

MISSED = """
-- audit.missed: what was noticed in this time to be gone
SELECT topic, partition, first_offset, next_offset, noticed_at FROM missed
WHERE ($1::timestamptz IS NULL OR noticed_at >= $1) AND ($2::timestamptz IS NULL OR noticed_at < $2)
ORDER BY topic, partition, first_offset LIMIT $3
"""
_ADVICE = "whoever published them must do so again; then keep the topic longer, or find out why the service was behind"


async def check_missed(dsn: str, findings: Findings, scope: Scope) -> None:
    """Add each stretch of records that a service noticed in the range to have been deleted unread."""
    for service in SERVICES:
        async with looking(dsn, service) as connection:
            for row in await connection.fetch(MISSED, scope.since, scope.until, PAGE):
                spot = Spot(row["topic"], row["partition"], row["first_offset"])
                records = row["next_offset"] - row["first_offset"]
                problem = f"{records} records from {spot} on were deleted unread, noticed {row['noticed_at']:%F %T} UTC"
                findings.add(Finding(CHECK, service, problem, _ADVICE, spot=spot))
