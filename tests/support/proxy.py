"""How does the way to a server break? A door in front of it that a test shuts, slows, floods or breaks in two."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

CHUNK_BYTES = 65_536
Way = Literal["in", "out"]
"""To the server, and back to the client."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to bytes on their way; nothing of it unless said."""

    delay_seconds: float = 0.0
    """Each chunk arrives so much later."""
    bytes_per_second: int | None = None
    """A slow drip."""
    cut_after_bytes: int | None = None
    """Every connection is reset after so many bytes, both ways counted together."""
    cut_behind: bytes | None = None
    """A connection is reset as soon as these bytes have been passed to the server; nothing comes back."""
    swallowed: frozenset[Way] = frozenset()
    """What is taken and never passed on: both ways make a black hole, one a half-open connection."""


HEALTHY = Faults()
BLACK_HOLE = Faults(swallowed=frozenset({"in", "out"}))


class Door:
    """Passes connections on to a server while it is open."""

    def __init__(self, host: str, port: int, rest: tuple[str, str] = ("", "")) -> None:
        """Remember where the server is; a host that begins with a slash is a folder with PostgreSQL's socket.

        ``rest`` is what else belongs to a PostgreSQL address: who, and which database.
        """
        self._host = host
        self._port = port
        self._rest = rest
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._refused = 0
        self._knock = asyncio.Event()
        self.faults = HEALTHY
        self.port = 0
        self.cut_off = 0
        """How many connections ended with the bytes behind which they were to be cut."""

    @property
    def dsn(self) -> str:
        """The address of a PostgreSQL through the door."""
        user, path = self._rest
        return f"postgresql://{user}@127.0.0.1:{self.port}{path}"

    def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        self._open = False
        self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones are let through as before."""
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        """Let connections through again."""
        self._open = True

    async def knocked(self, times: int) -> None:
        """Wait until so many connections were refused."""
        async with asyncio.timeout(20):
            while self._refused < times:
                self._knock.clear()
                await self._knock.wait()

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if not self._open:
            self._refused += 1
            self._knock.set()
            writer.transport.abort()
            return
        try:
            inside = await self._connected()
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, inside[1], self.faults.cut_after_bytes)
        self._writers |= {pair.client, pair.server}
        with suppress(ConnectionError):
            await asyncio.gather(
                self._carry("in", reader, pair.server, pair), self._carry("out", inside[0], pair.client, pair)
            )
        self._writers -= {pair.client, pair.server}

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: "_Pair") -> None:
        spoiled = False
        while data := await reader.read(CHUNK_BYTES):
            faults = self.faults
            if way in faults.swallowed:
                spoiled = True
                continue
            await _linger(faults, len(data))
            allowed = 0 if spoiled else pair.allowed(len(data))
            writer.write(data[:allowed])
            if allowed < len(data):
                pair.reset()
                return
            if way == "in" and faults.cut_behind is not None and faults.cut_behind in data:
                self.cut_off += 1
                writer.close()
                pair.client.transport.abort()
                return
            await writer.drain()
        writer.close()


@dataclass(slots=True)
class _Pair:
    """The two ends of one connection, and how many bytes it may still carry."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    left: int | None

    def allowed(self, wanted: int) -> int:
        if self.left is None:
            return wanted
        taken = min(wanted, self.left)
        self.left -= taken
        return taken

    def reset(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


async def _linger(faults: Faults, size: int) -> None:
    seconds = faults.delay_seconds + (size / faults.bytes_per_second if faults.bytes_per_second else 0.0)
    if seconds:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def door_at(host: str, port: int, rest: tuple[str, str] = ("", "")) -> AsyncIterator[Door]:
    """Give a door to the server at this address."""
    door = Door(host, port, rest)
    server = await asyncio.start_server(door.enter, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        door.shut()


@asynccontextmanager
async def door_to(dsn: str) -> AsyncIterator[Door]:
    """Give a door to the PostgreSQL behind this address."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    host = query.get("host", [parts.hostname or "127.0.0.1"])[0]
    port = int(query.get("port", [parts.port or 5432])[0])
    async with door_at(host, port, (parts.netloc.rpartition("@")[0], parts.path)) as door:
        yield door
