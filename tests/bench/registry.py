"""Which workloads are there?"""

from tests.bench.workload import Workload, Workloads
from tests.bench.workloads import closed_loop

WORKLOADS: Workloads = {
    "W4": Workload("the closed loop: one chat message until its case is closed, all five services", closed_loop.run),
}
