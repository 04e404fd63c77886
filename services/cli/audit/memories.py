"""Does every service remember a case as far as the journal goes?

It may be behind for two reasons: it has not come to the record yet, which its mark says, or the record stands in its
parking lot. The services go on meanwhile; the order of the looks keeps that from being taken for a loss. Mark and
effect are committed together: what the mark was past had its effect or was parked when the versions are read. Of those
that are behind it is asked once more, first what is parked, then the versions, for a retry may have come in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.cli.audit.casefile import CaseFile
from services.cli.audit.chains import Chain
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.tables import in_lot, versions_of
from services.runtime import offsets
from services.runtime.database import Connection

MEMORY_CHECK = "memory"
JOURNAL = "case.events"
_ADVICE = (
    "it let the event go by, or its table lost what it had: restore the tables of the service from a backup;"
    " it then reads on from where it was at that time"
)


@dataclass(frozen=True, slots=True)
class _Behind:
    """A service that remembers less of a case than it must."""

    case_id: UUID
    version: int
    """That it must remember."""
    spot: Spot
    opening: Spot | None
    """Where version 1 lies, if it was read."""


async def check_memories(files: Sequence[CaseFile], tables: Mapping[str, Connection], findings: Findings) -> None:
    """Add where a service remembers less of these cases than the journal says."""
    chains = [file.chain for file in files if file.chain is not None]
    for service, connection in tables.items():
        marks = {part: mark for (topic, part), mark in (await offsets.marks(connection)).items() if topic == JOURNAL}
        told = [chain for chain in chains if _is_past(marks, chain.taken.get(service))]
        if told:
            versions = await versions_of(connection, [chain.case_id for chain in told])
            behind = [_behind(chain, *chain.taken[service]) for chain in told if not _is_kept(versions, chain, service)]
            await _look_closer(service, connection, behind, findings)


async def _look_closer(service: str, connection: Connection, behind: Sequence[_Behind], findings: Findings) -> None:
    if not behind:
        return
    lot = await in_lot(connection, JOURNAL, {spot for each in behind for spot in (each.spot, each.opening) if spot})
    versions = await versions_of(connection, [each.case_id for each in behind])
    for each in behind:
        known = versions.get(each.case_id)
        if (known is not None and known >= each.version) or each.spot in lot or each.opening in lot:
            continue
        remembers = "does not know it" if known is None else f"remembers version {known} of it"
        problem = f"{service} {remembers}, the journal has told it version {each.version} ({each.spot})"
        where = f"case {each.case_id}"
        findings.add(Finding(MEMORY_CHECK, where, problem, _ADVICE, each.case_id, each.spot))


def _behind(chain: Chain, version: int, partition: int, offset: int) -> _Behind:
    first = chain.pieces[0]
    opening = first.spot if first.first == 1 else None
    return _Behind(chain.case_id, version, Spot(JOURNAL, partition, offset), opening)


def _is_past(marks: Mapping[int, int], taken: tuple[int, int, int] | None) -> bool:
    """Tell whether the service has come past the event that it must remember."""
    return taken is not None and marks.get(taken[1], 0) > taken[2]


def _is_kept(versions: Mapping[UUID, int], chain: Chain, service: str) -> bool:
    """Tell whether the service remembers as much, or need not know a case that it never saw begin."""
    known = versions.get(chain.case_id)
    return chain.pieces[0].first > 1 if known is None else known >= chain.taken[service][0]
