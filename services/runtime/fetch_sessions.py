"""How is a broker asked for news without naming every partition each time?

aiokafka (0.14) lists all of a consumer's partitions in every fetch, and every answer lists them again; it packs and
unpacks each field in Python. A service reads up to 72 partitions, of which a fetch brings records of a few, and the
rest cost it and the broker milliseconds. So here a broker keeps a session (KIP-227): it is told only what has changed
since the last fetch, and answers only what is new. A session that is lost on either side is begun anew, by a fetch that
names everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

VERSION = 7
"""Since this version of the request brokers keep sessions."""
EPOCH_MAX = 2**31 - 1

_Wanted = Mapping[tuple[str, int], tuple[int, int]]
"""Offset and most bytes by topic and partition."""


@dataclass(slots=True)
class _Session:
    """What one broker and we know of each other."""

    id: int = 0
    epoch: int = 0
    """Counts the fetches; 0 begins a session and ends the one of this id."""
    wanted: _Wanted = field(default_factory=dict)

    def news(self, wanted: _Wanted) -> tuple[_Wanted, list[tuple[str, int]]]:
        """Return what is wanted otherwise than before, and what no more."""
        if not self.epoch:
            return wanted, []
        known = self.wanted
        changed = {place: what for place, what in wanted.items() if known.get(place) != what}
        gone = [] if len(known) + len(changed) == len(wanted) else [place for place in known if place not in wanted]
        return changed, gone

    def begin_anew(self) -> None:
        """Name everything next time."""
        self.epoch = 0

    def go_on(self, given_id: int, wanted: _Wanted) -> None:
        """Remember that the broker has understood; it gives no id when it keeps no session."""
        self.id = given_id
        self.wanted = wanted
        self.epoch = (self.epoch % EPOCH_MAX + 1) if given_id else 0


class _Request(FetchRequest):  # type: ignore[misc]  # aiokafka has no type hints
    """A fetch within a session, where the broker is new enough."""

    def __init__(self, whole: FetchRequest, session: _Session, wanted: _Wanted) -> None:
        self.__dict__.update(whole.__dict__)
        self._session = session
        self._wanted = wanted

    def build(self, kind: Any) -> Any:  # noqa: ANN401 - a version of the request
        if kind.API_VERSION < VERSION:
            return super().build(kind)
        changed, gone = self._session.news(self._wanted)
        self._topics = [
            (topic, [(partition, *changed[topic, partition]) for partition in partitions])
            for topic, partitions in _by_topic(changed)
        ]
        made = super().build(kind)
        made.session_id, made.session_epoch = self._session.id, self._session.epoch
        made.forgotten_topics_data = _by_topic(gone)
        return made


class _Client:
    """The client of a consumer whose fetches belong to sessions."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - aiokafka has no type hints
        self._client = client
        self.sessions: dict[int, _Session] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client knows
        return getattr(self._client, name)

    async def send(self, node: int, request: Any, **options: Any) -> Any:  # noqa: ANN401 - handed through
        """Send anything, a fetch within its session.

        Of a fetch that failed or was cancelled nobody knows whether the broker has counted it, and a broker that has
        forgotten the session answers that and nothing else: the next fetch, which follows at once, names everything.
        """
        if not isinstance(request, FetchRequest):
            return await self._client.send(node, request, **options)
        session = self.sessions.setdefault(node, _Session())
        wanted = {(topic, place[0]): place[1:] for topic, places in request.topics for place in places}
        understood = False
        try:
            answer = await self._client.send(node, _Request(request, session, wanted))
            understood = not getattr(answer, "error_code", 0)
        finally:
            if not understood:
                session.begin_anew()
        if understood:
            session.go_on(getattr(answer, "session_id", 0), wanted)
        return answer


def _by_topic(places: Any) -> list[tuple[str, list[int]]]:  # noqa: ANN401 - topics and partitions in any order
    found: dict[str, list[int]] = {}
    for topic, partition in places:
        found.setdefault(topic, []).append(partition)
    return list(found.items())


def install(consumer: AIOKafkaConsumer) -> None:
    """Let this consumer fetch in sessions."""
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no way to replace what it sends with
    fetcher._client = _Client(fetcher._client)  # noqa: SLF001 - see above
