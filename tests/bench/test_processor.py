"""Is what a process used still counted when it has ended?"""

import asyncio
import sys

from tests.bench.processor import used

BURN = "sum(range(20_000_000))"
BURNT_SECONDS = 0.05
"""Less than that takes on any machine."""


async def test_what_a_child_used_that_has_ended_is_its_parent_s() -> None:
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{BURN}']); print(flush=True); sys.stdin.read()"
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    await process.stdout.readline()
    assert used({process.pid: "parent"})["parent"] > BURNT_SECONDS
    await process.communicate(b"")
