"""How does a server go away and come back without being stopped? A door in front of it that a test shuts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Door:
    """Passes connections on to a PostgreSQL server while it is open."""

    def __init__(self, dsn: str) -> None:
        """Remember where the server is."""
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        self._host = query.get("host", [parts.hostname or "127.0.0.1"])[0]
        self._port = int(query.get("port", [parts.port or 5432])[0])
        self._rest = (parts.netloc.rpartition("@")[0], parts.path)
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._refused = 0
        self._knock = asyncio.Event()
        self.port = 0

    @property
    def dsn(self) -> str:
        """The address through the door."""
        user, path = self._rest
        return f"postgresql://{user}@127.0.0.1:{self.port}{path}"

    def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        self._open = False
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
        inside = await self._connected()
        self._writers |= {writer, inside[1]}
        with suppress(ConnectionError):
            await asyncio.gather(_carry(reader, inside[1]), _carry(inside[0], writer))
        self._writers -= {writer, inside[1]}

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def door_to(dsn: str) -> AsyncIterator[Door]:
    """Give a door to the server behind this address."""
    door = Door(dsn)
    server = await asyncio.start_server(door.enter, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        door.shut()
