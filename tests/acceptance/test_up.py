"""Does `caseloop up` start everything with one word, keep it alive, and leave nothing behind?"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.support.system import System, caseloop, running_system, start_system

SERVICES = {"intake", "router", "followup", "notify", "desk"}
DEADLINE_SECONDS = 60.0


def _until(fact: Callable[[], bool], what: str) -> None:
    """Wait for a fact, at most a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    waiting = psutil.Process()
    while not fact():
        assert time.monotonic() < deadline, f"{what} did not come true"
        psutil.wait_procs([waiting], timeout=0.1)


def _pids(system: System) -> dict[str, int]:
    pids: dict[str, int] = json.loads((system.data_dir / "up.json").read_text())["pids"]
    return pids


def test_the_readiness_line_tells_where_everything_is(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        assert system.ready["ready"] is True
        assert set(system.ready) == {"ready", "kafka", "postgres", "http", "pids", "providers"}
        assert set(system.ready["http"]) == set(system.ready["pids"]) == SERVICES
        for url in system.ready["http"].values():
            assert httpx.get(f"{url}/health/ready").status_code == httpx.codes.OK
        assert httpx.get(f"{system.sms}/messages").json() == {"messages": []}
        children = psutil.Process(system.process.pid).children(recursive=True)

        assert system.stop() == 0

        assert psutil.wait_procs(children, timeout=5)[1] == []
        assert not (tmp_path / "up.json").exists()


def test_a_killed_service_comes_back_at_its_old_address(tmp_path: Path) -> None:
    with running_system(tmp_path, "--services", "router,desk") as system:
        old = system.pid("router")
        os.kill(old, signal.SIGKILL)

        _until(lambda: _pids(system)["router"] != old, "a new process of the router")
        _until(lambda: _answers(system.http("router")), "the router's readiness")

        assert (system.data_dir / "up.err").read_text().count("router ended (killed by SIGKILL") == 1


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.HTTPError:
        return False


def test_what_was_there_is_there_after_a_restart_and_one_directory_holds_one_system(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        system.cli("send", "sms", "--text", "ERR-500 and I cannot log in", "--from", "phone:+8613800005678")
        _until(lambda: bool(json.loads(system.cli("case", "list", "--json").stdout)["cases"]), "the case on the board")
        second = caseloop("up", data_dir=tmp_path, check=False)
        assert second.returncode == 1
        assert "runs already in" in second.stderr

    again = start_system(tmp_path)
    try:
        assert len(json.loads(again.cli("case", "list", "--json").stdout)["cases"]) == 1
        assert json.loads(again.cli("audit", "--json").stdout)["proven"] is True
    finally:
        again.stop()


def test_a_killed_up_leaves_no_process_behind(tmp_path: Path) -> None:
    system = start_system(tmp_path, "--services", "desk")
    children = psutil.Process(system.process.pid).children(recursive=True)

    system.process.kill()
    assert system.stop() == -signal.SIGKILL

    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert caseloop("status", data_dir=tmp_path, check=False).returncode == 1


def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    surroundings = {**os.environ, "CASELOOP_DESK_LOG_LEVEL": "loud"}
    command = [sys.executable, "-m", "services.cli", "up", "--data-dir", str(tmp_path), "--services", "desk", "--json"]

    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=surroundings, timeout=120)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "CASELOOP_DESK_LOG_LEVEL" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
