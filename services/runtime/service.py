"""What does a service declare about itself, and how does ``python -m services.<name>`` run it?

Importing this acts on nothing; :func:`run` does. Every reason not to start is one line on standard error that says what
is wrong and how to fix it.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from starlette.routing import BaseRoute

from contracts.message import Message
from contracts.policy import Policy, PolicyError, load_policy
from services.runtime import configuration, heap, journey, logs
from services.runtime.context import LoopFactory, ServiceContext
from services.runtime.errors import FAILED, WRONG_SETTINGS, CaseloopError, StartError
from services.runtime.settings import Settings
from services.runtime.waiting import NO_REST, Rest
from services.runtime.work import Handler

__all__ = ["LoopFactory", "Service", "ServiceContext", "run"]


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's ``app`` declares."""

    name: str
    """Schema, consumer group, ``caseloop/<name>`` as source, database role."""
    topics: tuple[str, ...]
    """What it listens to, without the deployment's prefix."""
    wants: frozenset[type[Message]]
    """The types it handles; others of a known type are skipped without touching the value."""
    handler_of: Callable[[Policy], Handler]
    """Built once at the start with the loaded policy."""
    reads: Mapping[type[Message], type[Message]] = field(default_factory=dict)
    """Types of which less is read than they hold, and what is read instead: a class with the same type and topic."""
    guarded: bool = True
    """Whether the inbox keeps repeats away from the handler; not needed where every write tells a repeat by itself."""
    rest: Rest = NO_REST
    """For how long it reads nothing after a turn: the longer, the longer others can wait for what it does."""
    settings: type[Settings] = Settings
    """:class:`Settings`, or a class of the service's own that inherits from it."""
    retires: tuple[str, ...] = ()
    """Statements that forget what nobody asks for any more, as those of :mod:`services.runtime.retirement` do."""
    loops: tuple[LoopFactory, ...] = ()
    routes: Callable[[ServiceContext], Sequence[BaseRoute]] | None = None


def run(service: Service) -> None:
    """Run the service until SIGTERM and exit: 0 after an orderly stop, 2 for wrong settings, 1 for all else."""
    try:
        settings = configuration.load(service.name, service.settings)
        policy = _policy(settings.policy)
        logs.quiet_libraries()
        heap.give_back()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(journey.travel(service, settings, policy))
    except CaseloopError as failure:
        lines = failure.lines if isinstance(failure, StartError) else (str(failure),)
        status = failure.exit_code if isinstance(failure, StartError) else FAILED
        for line in lines:
            sys.stderr.write(f"caseloop {service.name}: {line}\n")
        sys.exit(status)


def _policy(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyError as problem:
        raise StartError(str(problem), exit_code=WRONG_SETTINGS) from None
