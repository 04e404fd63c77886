"""Is every guard still where the mutation looks for it, and is it really gone then?"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.guards import GUARDS, Guard
from tests.chaos.registry import rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_can_be_taken_away(guard: Guard) -> None:
    spec = importlib.util.find_spec(guard.module)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text("utf-8")
    for old, new in guard.words:
        assert old in text
        text = text.replace(old, new)
    compile(text, guard.module, "exec")
    assert guard.row in {row.number for row in rows()}


def test_a_process_runs_without_its_guard() -> None:
    (guard,) = [guard for guard in GUARDS if guard.name == "offsets"]
    program = "from services.runtime.offsets import ADVANCE; print('moves.remembered' in ADVANCE.split('RETURNING')[0])"
    command = [sys.executable, "-c", program.replace("'moves.remembered'", "'= moves.remembered'")]
    whole = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    without = subprocess.run(command, cwd=ROOT, env=dict(guard.environment()), capture_output=True, check=True)
    assert (whole.stdout, without.stdout) == (b"True\n", b"False\n")
