"""Is what a large batch took given back, whatever was kept of it?"""

import subprocess
import sys

PROGRAM = """
import os
from services.runtime import heap

heap.give_back()

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

def batch():
    kept = []
    blocks = []
    for _ in range(200):
        blocks.append(bytearray(b"x") * 2**20)
        kept.append(bytes(600))
    return kept

before = resident()
kept = [batch() for _ in range(3)]
print(resident() - before)
"""


def test_a_large_batch_leaves_no_large_heap_behind() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert int(told.stdout) < 20
