"""Is the chain of one case whole (Q4)? Its segments are put together, whatever partitions and times they come from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.router.event import ZERO_HASH
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.journal import CHECK, MARK, mark
from services.cli.audit.repairs import TellEvents
from services.cli.audit.runs import Fact

_ADVICE_GAP = "compare with desk's timeline: `caseloop case show`; if desk has them they can be said again"
_ADVICE_LINK = "one of the two events is not what the router said: compare both with desk's timeline"


@dataclass(slots=True)
class Chain:
    """What the journal says of a case, in the order of its versions."""

    case_id: UUID
    last: int = 0
    """The last version."""
    digest: str = ""
    """Its hash."""
    state: str = ""
    duplicates: int = 0
    repaired: int = 0
    promises: tuple[tuple[str, str, str], ...] = ()
    pieces: Sequence["_Piece"] = ()
    taken: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Service to version, partition and offset of the last event that it must remember."""

    def has(self, version: int, digest: str) -> bool:
        """Tell whether the journal has this version with this hash."""
        return _mark(self.pieces, version) == mark(digest)


@dataclass(frozen=True, slots=True)
class _Piece:
    first: int
    partition: int
    offset: int
    previous: str
    marks: bytes
    digest: str
    state: str
    promises: Sequence[tuple[str, str, str]]
    repaired: bool
    taken: Mapping[str, tuple[int, int]]

    @property
    def last(self) -> int:
        return self.first + len(self.marks) // MARK - 1

    @property
    def spot(self) -> Spot:
        return Spot("case.events", self.partition, self.offset)


def chain_of(case_id: UUID, segments: Sequence[Fact], findings: Findings, *, from_start: bool) -> Chain:
    """Return the chain of these segments and add what does not hold.

    ``from_start`` says that the first event that was read must be version 1.
    """
    pieces = sorted((_Piece(*fact[1:]) for fact in segments), key=lambda piece: (piece.first, piece.offset))
    chain = Chain(case_id)
    chain.pieces = known = list[_Piece]()
    for piece in pieces:
        if not known:
            _begin(chain, piece, findings, from_start=from_start)
        elif piece.first > chain.last + 1:
            _lacks(chain, piece, chain.last + 1, findings)
        else:
            _overlap(chain, piece, known, findings)
        if piece.last > chain.last:
            chain.last, chain.digest, chain.state = piece.last, piece.digest, piece.state
            chain.promises += tuple(piece.promises)
        chain.repaired += piece.repaired
        _take(chain, piece)
        known.append(piece)
    for earlier, later in _disordered(known):
        _add(findings, chain, later, f"version {later.first} stands behind version {earlier.first}", _ADVICE_LINK)
    return chain


def _begin(chain: Chain, piece: _Piece, findings: Findings, *, from_start: bool) -> None:
    if piece.first == 1 and piece.previous != ZERO_HASH:
        _add(findings, chain, piece, "version 1 has a previous_hash", _ADVICE_LINK)
    if piece.first > 1 and from_start:
        _lacks(chain, piece, 1, findings)


def _lacks(chain: Chain, piece: _Piece, first: int, findings: Findings) -> None:
    last = piece.first - 1
    what = f"version {first}" if first == last else f"versions {first} to {last}"
    where = f"case {chain.case_id} ({piece.spot})"
    repair = TellEvents(chain.case_id, first, last)
    findings.add(
        Finding(CHECK, where, f"{what} missing before it", _ADVICE_GAP, chain.case_id, piece.spot, repair),
    )


def _overlap(chain: Chain, piece: _Piece, known: Sequence[_Piece], findings: Findings) -> None:
    """Compare a piece that goes on where the chain ends, or that tells again what is known."""
    if piece.first == chain.last + 1 and piece.previous != chain.digest:
        problem = f"version {piece.first}: its previous_hash is not the hash of the event before it"
        _add(findings, chain, piece, problem, _ADVICE_LINK)
    for version in range(piece.first, min(piece.last, chain.last) + 1):
        if _mark(known, version) == _mark((piece,), version):
            chain.duplicates += 1
        else:
            _add(findings, chain, piece, f"two different events have version {version}", _ADVICE_LINK)


def _take(chain: Chain, piece: _Piece) -> None:
    for service, (version, offset) in piece.taken.items():
        if service not in chain.taken or version > chain.taken[service][0]:
            chain.taken[service] = version, piece.partition, offset


def _mark(pieces: Sequence[_Piece], version: int) -> bytes:
    for piece in pieces:
        if piece.first <= version <= piece.last:
            at = (version - piece.first) * MARK
            return piece.marks[at : at + MARK]
    return b""


def _disordered(pieces: Sequence[_Piece]) -> Iterator[tuple[_Piece, _Piece]]:
    """Yield pieces that first told of later versions and lie before pieces that first told of earlier ones."""
    latest: dict[int, _Piece] = {}
    told = 0
    for piece in pieces:
        if piece.last <= told:
            continue
        told = piece.last
        before = latest.get(piece.partition)
        if before is not None and before.offset > piece.offset and not before.repaired:
            yield piece, before
        if before is None or piece.offset > before.offset:
            latest[piece.partition] = piece


def _add(findings: Findings, chain: Chain, piece: _Piece, problem: str, advice: str) -> None:
    where = f"case {chain.case_id} ({piece.spot})"
    findings.add(Finding(CHECK, where, problem, advice, chain.case_id, piece.spot))
