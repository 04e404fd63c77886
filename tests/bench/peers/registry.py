"""Which peers are there?"""

from collections.abc import Sequence

from tests.bench.peers import dbos, plain, restate, streams
from tests.bench.peers.stand import Peer

PEERS: Sequence[Peer] = (plain, restate, dbos, streams)
