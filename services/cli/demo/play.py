"""How are scenarios played side by side, and what is said at the end?"""

import asyncio
import time
from collections.abc import Callable, Sequence

from rich.console import Console

from services.cli.connection import Connection
from services.cli.demo import everyday, hardship
from services.cli.demo.cast import Hands, come_to_work, go_home
from services.cli.demo.scene import SCENARIOS, Scenario, Scene
from services.cli.demo.stage import MissingError, Stage, open_stage
from services.cli.demo.view import show_summary, watching
from services.cli.failures import bad_input

PREPARED: dict[str, Callable[[Hands, Scene], None]] = {
    "callback_fails_twice": hardship.calls_fail_twice,
    "not_solved": hardship.not_solved_on_the_phone,
}
"""Scenarios in which somebody answers the phone differently."""
_ALL = (everyday, hardship)


def chosen(names: Sequence[str] | None) -> list[Scenario]:
    """Return the scenarios of these names, all by default; ``CommandError`` names what is none."""
    unknown = sorted(set(names or ()) - set(SCENARIOS))
    if unknown:
        raise bad_input(f"no scenario {', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    return [SCENARIOS[name] for name in names] if names else list(SCENARIOS.values())


async def play(connection: Connection, scenarios: Sequence[Scenario], keep: bool, console: Console) -> int:
    """Play the scenarios side by side and return 0 when everything expected was seen, else 1.

    ``keep`` leaves the agents at work; otherwise they go home, so that nobody's later case is given to them.
    """
    async with open_stage(connection.settings(), f"{time.time_ns() // 1_000_000:x}") as stage:
        scenes = [Scene(each.name, each.title, stage) for each in scenarios]
        await come_to_work(stage)
        async with asyncio.TaskGroup() as group:
            _prepare(stage, group, scenes)
            watcher = group.create_task(watching(console, scenes, stage), name="view")
            await asyncio.gather(*(_played(scene, each) for scene, each in zip(scenes, scenarios, strict=True)))
            watcher.cancel()
        if not keep:
            await go_home(stage)
    return show_summary(console, scenes)


def _prepare(stage: Stage, group: asyncio.TaskGroup, scenes: Sequence[Scene]) -> None:
    hands = Hands(stage, group)
    stage.listeners.append(hands.hear)
    for scene in scenes:
        if scene.name in PREPARED:
            PREPARED[scene.name](hands, scene)


async def _played(scene: Scene, each: Scenario) -> None:
    try:
        await each.play(scene)
    except (MissingError, AssertionError) as missing:
        scene.failure = f"{scene.waiting_for or 'checked'}: {missing}"
    scene.done = True
