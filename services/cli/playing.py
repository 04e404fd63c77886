"""How are the scenarios of the service standard played?"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from services.cli.connection import HERE, Connection, Where, find
from services.cli.failures import CommandError
from services.cli.output import console

Performance = Callable[[Connection], Awaitable[int]]
"""Plays through a system and returns the status to exit with: 0 when all was seen."""


async def demo(
    *,
    scenario: Annotated[list[str] | None, Parameter(negative="")] = None,
    keep: bool = False,
    where: Where = HERE,
) -> int:
    """Play scenarios of the service standard and show the closed loop live; a system is started when none runs.

    Parameters
    ----------
    scenario
        Only this one; may be repeated.
    keep
        Leave a system that was started for the demo running until Ctrl-C.
    """
    perform = performance(scenario, console(), keep=keep)
    try:
        connection = find(where)
    except CommandError:
        from services.cli.up.command import up_for_the_demo

        return await up_for_the_demo(where, perform, keep=keep)
    return await perform(connection)


def performance(names: Sequence[str] | None, out: Console, *, keep: bool) -> Performance:
    """Return the play of these scenarios, to be seen on this console; ``CommandError`` names what is none."""
    from services.cli.demo import chosen, play

    scenarios = chosen(names)

    async def perform(connection: Connection) -> int:
        return await play(connection, scenarios, keep, out)

    return perform
