"""How does a test do what a person at a terminal does: send a contact, ask for something, read the journal?"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from services.runtime.settings import Settings
from tests.support.floor import Seen, reading, settings_for
from tests.support.system import System

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the journal."""

    kind: str
    """The word between ``caseloop.case.`` and the version."""
    key: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terminal:
    """A person who looks at one system."""

    system: System
    read: Callable[[Callable[[Seen], bool]], Any]

    async def cli(self, *words: str, check: bool = True) -> str:
        """Run a command and return what it printed."""
        return (await asyncio.to_thread(self.system.cli, *words, check=check)).stdout

    async def sent(self, channel: str, text: str, phone: str, *more: str, conversation: str = "") -> str:
        """Send a customer's words and return the id of the case that they open."""
        known = conversation or f"terminal-{uuid4().hex}"
        words = ("--text", text, "--from", f"phone:{phone}", "--conversation", known, *more)
        await self.cli("send", channel, *words)
        return (await self.heard("opened", lambda told: told.data["contact"]["conversation_id"] == known)).key

    async def asked(self, name: str, case_id: str, *words: str) -> str:
        """Ask for something and return the id of the command."""
        asked: dict[str, Any] = json.loads(await self.cli("command", name, "--case", case_id, *words, "--json"))
        return str(asked["id"])

    async def heard(self, kind: str, fits: Callable[[Told], bool]) -> Told:
        """Wait for an event of this kind that fits."""

        def found(seen: Seen) -> list[Told]:
            return [told for told in events_of(seen) if told.kind == kind and fits(told)]

        return found(await self.read(lambda seen: bool(found(seen))))[0]

    async def story(self, case_id: str, last: str) -> list[Told]:
        """Return all events of a case as soon as one of this kind is among them."""
        await self.heard(last, lambda told: told.key == case_id)
        return [told for told in events_of(await self.read(lambda _: True)) if told.key == case_id]


def settings_of(system: System) -> Settings:
    """Return the settings of somebody who reads and writes topics of a running system."""
    return settings_for(system.postgres, system.kafka, topic_prefix="")


@asynccontextmanager
async def at_terminal(system: System) -> AsyncIterator[Terminal]:
    """Give a person who has read the journal from its beginning."""
    async with reading(settings_of(system), "case.events", seconds=SECONDS) as read:
        yield Terminal(system, read)


def events_of(seen: Seen) -> list[Told]:
    """Return what was read as events."""
    kinds = (dict(record.headers)["ce_type"].decode() for record in seen.records)
    return [
        Told(kind.split(".")[2], record.key.decode(), orjson.loads(record.value))
        for kind, record in zip(kinds, seen.records, strict=True)
    ]
