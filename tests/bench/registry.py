"""Which workloads are there?"""

from tests.bench.servers import PRELOADED
from tests.bench.workload import Workload, Workloads
from tests.bench.workloads import (
    beside_peers,
    closed_loop,
    cost,
    growth,
    jobs,
    mixed,
    one_hop,
    restarts,
    routing,
    sms,
    steady_timers,
    timer_storm,
    timer_wheel,
)

WORKLOADS: Workloads = {
    "W1": Workload("a million timers set over a day, then a hundred thousand due now", timer_wheel.run),
    "W2": Workload("20,000 timers due in one instant, half of them moved or cancelled before", timer_storm.run),
    "W3": Workload("200 timers a second, minute after minute, while a million others wait", steady_timers.run),
    "W4": Workload("the closed loop: one chat message until its case is closed, all five services", closed_loop.run),
    "W4cpu": Workload("where each microsecond of a case of the closed loop goes", cost.run, PRELOADED),
    "W4p": Workload(
        "the closed loop beside what a user would build or pick instead (the limit here), five durable steps a case",
        beside_peers.run,
    ),
    "W5": Workload("one hop: an event read, its effect and its answer stored once, the answer on Kafka", one_hop.run),
    "W6": Workload("a million jobs that do nothing, burnt down", jobs.run),
    "W7": Workload("disputes with promises, calls back and milestones, the last quarter beside the first", mixed.run),
    "W8": Workload("each service killed in turn at half load", restarts.run),
    "W9": Workload("10,000 waiting cases, 1,000 agents of 20 skills, fifty of whom come or go a second", routing.run),
    "W10": Workload("10,000 SMS through a provider that takes 100 a second, refuses some and answers not all", sms.run),
    "growth": Workload("the closed loop with 10,000 stored cases, then with very many", growth.run, PRELOADED),
}
