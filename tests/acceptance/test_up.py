"""Does `caseloop up` start everything with one word, keep it alive, and leave nothing behind?"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from tests.support.system import System, caseloop, running_system, start_system, until

DEMO = Path(__file__).parents[2] / "deploy" / "policies" / "demo.toml"
SERVICES = {"intake", "router", "followup", "notify", "desk"}


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

        until(lambda: _pids(system)["router"] != old, "a new process of the router")
        until(lambda: _answers(system.http("router")), "the router's readiness")

        assert (system.data_dir / "up.err").read_text().count("router ended (killed by SIGKILL") == 1


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.HTTPError:
        return False


def test_what_was_there_is_there_after_a_restart_and_one_directory_holds_one_system(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        system.cli("send", "sms", "--text", "ERR-500 and I cannot log in", "--from", "phone:+8613800005678")
        until(lambda: bool(json.loads(system.cli("case", "list", "--json").stdout)["cases"]), "the case on the board")
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


def test_a_demo_that_misses_something_is_told_beside_the_json_and_is_the_status_of_up(tmp_path: Path) -> None:
    careless = tmp_path / "careless.toml"
    careless.write_text(f'extends = "{DEMO}"\nname = "careless"\n[routing]\nsupervisor_when_safety = false\n')
    with running_system(tmp_path / "up", "--demo", "--policy", str(careless)) as system:
        told = system.data_dir / "up.err"
        until(lambda: "the system stays up" in told.read_text(), "the end of the demo")
        assert system.cli("status", "--json").returncode == 0
        system.process.send_signal(signal.SIGTERM)
        assert system.process.stdout is not None
        assert system.process.stdout.read() == "", "nothing but the line of readiness"
        assert system.stop() == 1

        lines = [line.strip() for line in told.read_text().splitlines()]
        assert [line for line in lines if "missing: " in line] == ["missing: checked: the emergency was not recognised"]
        assert sum(line.startswith("13 of 14 scenarios complete") for line in lines) == 1
        assert sum(line.startswith("caseloop: the demo missed something; ") for line in lines) == 1


def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    surroundings = {**os.environ, "CASELOOP_DESK_LOG_LEVEL": "loud"}
    command = [sys.executable, "-m", "services.cli", "up", "--data-dir", str(tmp_path), "--services", "desk", "--json"]

    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=surroundings, timeout=120)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "CASELOOP_DESK_LOG_LEVEL" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
