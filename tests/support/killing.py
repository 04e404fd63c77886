"""How are services of a running product killed, so that the test goes on when each is there again?"""

import asyncio
import contextlib
import os
import signal

from tests.support.system import System

BACK_SECONDS = 30.0


async def kill(system: System, *services: str) -> None:
    """Kill these at once and return when `up` has started each again."""
    gone = {service: await asyncio.to_thread(system.present_pid, service) for service in services}
    for pid in gone.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for service, pid in gone.items():
        await restarted(system, service, pid)


async def restarted(system: System, service: str, pid: int) -> None:
    """Return when another process has taken the place of this one."""
    async with asyncio.timeout(BACK_SECONDS):
        while await asyncio.to_thread(system.present_pid, service) == pid:  # noqa: ASYNC110 - the fact lies in another process
            await asyncio.sleep(0.05)
