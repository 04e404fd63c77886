"""Rows 12 to 14: what when one of three brokers is killed, restarted again and again, or stands still?"""

import asyncio
import os
import signal

from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.cluster import BROKERS, Cluster

BACK_SECONDS = 3.0
"""So long a broker that came back has time to catch up before the next goes."""


@row("12", "one of three brokers is killed and started again", three_brokers=True, rate=15.0)
async def a_broker_dies(rig: Rig) -> None:
    cluster, number = _cluster(rig), rig.dice.randint(1, BROKERS)
    await asyncio.to_thread(cluster.kill, number)
    await rig.goes_on(5.0)
    await asyncio.to_thread(cluster.start, number)
    await rig.wait(BACK_SECONDS)


@row("13", "the three brokers are stopped in order and started again, one by one", three_brokers=True, rate=15.0)
async def brokers_restart(rig: Rig) -> None:
    cluster = _cluster(rig)
    for number in range(1, BROKERS + 1):
        await asyncio.to_thread(cluster.processes[number].stop)
        await asyncio.to_thread(cluster.start, number)
        await rig.wait(BACK_SECONDS)


@row("14", "one of three brokers stands still beyond every time-out, and goes on", three_brokers=True, rate=15.0)
async def a_broker_stands_still(rig: Rig) -> None:
    pid = _cluster(rig).processes[rig.dice.randint(1, BROKERS)].pid
    os.kill(pid, signal.SIGSTOP)
    await rig.goes_on(20.0)
    os.kill(pid, signal.SIGCONT)
    await rig.wait(BACK_SECONDS)


def _cluster(rig: Rig) -> Cluster:
    if rig.cluster is None:
        raise AssertionError("the row needs three brokers")
    return rig.cluster
