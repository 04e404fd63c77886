"""What does ``caseloop up`` do, from the word to the last process gone?"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from contracts.policy import PolicyError, load_policy
from services.cli.connection import DATA_DIR, Where
from services.cli.failures import bad_input
from services.cli.output import console, print_json
from services.cli.playing import Performance, performance
from services.cli.up.plan import Options, services_named
from services.cli.up.system import System, system
from services.runtime import configuration
from services.runtime.settings import STANDARD_POLICY

AfterReady = Callable[[System], Awaitable[int]]


async def up(
    *,
    kafka: str | None = None,
    postgres: str | None = None,
    policy: Path | None = None,
    data_dir: Annotated[Path, Parameter(env_var="CASELOOP_DATA_DIR")] = DATA_DIR,
    services: str | None = None,
    demo: bool = False,
    json: bool = False,
) -> int:
    """Run a whole system on this machine until Ctrl-C: Kafka and PostgreSQL when not given, and all services.

    Parameters
    ----------
    kafka
        Address of a Kafka that runs already, host:port.
    postgres
        Address of a PostgreSQL that runs already, postgresql://user@host:5432/database.
    policy
        A policy pack; the shipped standard without it, with --demo the one with short durations.
    data_dir
        Where data, logs and addresses are kept.
    services
        Only these, separated by commas.
    demo
        Play the demo when everything is ready, and stay up; the exit status tells whether all was seen.
    json
        Print one JSON line when ready, and nothing else, on standard output.
    """
    options = _options(kafka, postgres, policy or (_demo_policy() if demo else None), data_dir, services)
    out = console(stderr=json)
    perform = performance(None, out, keep=True) if demo else None

    async def after(running: System) -> int:
        if json:
            print_json(running.state().readiness())
        else:
            _welcome(out, running)
        if perform is None:
            await running.stopping.wait()
            return 0
        return await _kept(running, await perform(running.connection()), out)

    return await run(options, after, out)


async def up_for_the_demo(where: Where, perform: Performance, *, keep: bool) -> int:
    """Start a system, play the demo through it, and stop it again unless it is to be kept."""
    options = _options(where.kafka, where.postgres, _demo_policy(), where.data_dir, None)

    async def after(running: System) -> int:
        status = await perform(running.connection())
        return await _kept(running, status, console()) if keep else status

    return await run(options, after, console())


async def run(options: Options, after: AfterReady, out: Console) -> int:
    """Bring the system up, do what comes then while dead processes are started again, and bring it down."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def tell(line: str) -> None:
        out.print(f"[dim]{line}[/]")

    async with system(options, stopping, tell) as running:
        if stopping.is_set():
            return 0
        running.remember()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(running.supervisor.watch(stopping))
            status = await _until(after(running), stopping)
            watching.cancel()
        tell("stopping")
    return status


async def _kept(running: System, status: int, out: Console) -> int:
    """Say how the demo went and that the system stays up; return the demo's status when it is time to stop."""
    if status:
        line = f"the demo missed something; the system stays up, and Ctrl-C ends it with status {status}"
        console(stderr=True).print(f"\ncaseloop: {line}")
    else:
        out.print("\nThe system stays up; Ctrl-C stops it.")
    await running.stopping.wait()
    return status


async def _until(work: Awaitable[int], stopping: asyncio.Event) -> int:
    """Return the status of the work, or 0 when it is time to stop before the work is done."""
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if doing.done():
        return doing.result()
    doing.cancel()
    await asyncio.wait({doing})
    return 0


def _demo_policy() -> Path | None:
    """Return the pack with short durations, unless the operator has chosen one."""
    return None if configuration.ENVIRONMENT.get("CASELOOP_POLICY") else STANDARD_POLICY.with_name("demo.toml")


def _options(
    kafka: str | None, postgres: str | None, policy: Path | None, data_dir: Path, services: str | None
) -> Options:
    if policy is not None:
        try:
            load_policy(policy)
        except PolicyError as problem:
            raise bad_input(str(problem)) from None
    return Options(
        data_dir=data_dir.resolve(),
        kafka=kafka or configuration.ENVIRONMENT.get("CASELOOP_KAFKA_BOOTSTRAP") or None,
        postgres=postgres or configuration.ENVIRONMENT.get("CASELOOP_POSTGRES_DSN") or None,
        policy=policy,
        services=services_named(services),
    )


def _welcome(out: Console, running: System) -> None:
    out.print("\n[bold green]caseloop is ready[/]")
    shown = {"kafka": running.kafka, "postgres": running.postgres, **running.state().http, **running.providers}
    for name, address in shown.items():
        out.print(f"  [dim]{name:<10}[/]{address}")
    option = "" if running.options.data_dir == DATA_DIR.resolve() else f" --data-dir {running.options.data_dir}"
    out.print(
        f"\n  send a contact   caseloop send chat --text 'ERR-500 after login' --from phone:+8613800005678{option}"
    )
    out.print(f"  watch cases      caseloop watch{option}      caseloop case list{option}")
    out.print("  stop             Ctrl-C\n")
