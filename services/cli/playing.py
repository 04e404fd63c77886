"""How are the scenarios of the service standard played?"""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from services.cli.connection import HERE, Connection, Where, find
from services.cli.failures import CommandError
from services.cli.output import console


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
    try:
        connection = find(where)
    except CommandError:
        from services.cli.up.command import up_for_the_demo

        return await up_for_the_demo(where, scenario, keep=keep)
    return await play(connection, scenario, keep=keep)


async def play(connection: Connection, scenarios: Sequence[str] | None, *, keep: bool) -> int:
    """Play the scenarios through this system and return the status to exit with: 0 when all was seen."""
    from services.cli.demo import play as play_demo

    return await play_demo(connection, scenarios, keep, console())
