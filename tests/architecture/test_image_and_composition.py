"""Do the image and the composition run what exists, with settings that exist, as nobody special and without secrets?"""

import importlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime import configuration
from services.runtime.settings import Settings
from tests.architecture.sources import ROOT

COMPOSITION: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
PARTS: dict[str, dict[str, Any]] = COMPOSITION["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
SERVICES = {"intake", "router", "followup", "notify", "desk"}
JOBS = {"migrate", "topics"}
OURS = sorted(SERVICES | JOBS)
SECRETS = {
    "postgres_dsn": "postgresql://caseloop:word@postgres:5432/caseloop",
    "provider_secret": "whsec_" + "c2VjcmV0" * 6,
}


def environment_of(part: str, folder: Path) -> dict[str, str]:
    """What a container of this part would see, its secrets written below the folder."""
    environment = {}
    for key, value in PARTS[part]["environment"].items():
        said = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))
        secret = said.removeprefix("/run/secrets/")
        if secret != said:
            (folder / secret).write_text(SECRETS[secret], encoding="utf-8")
            said = str(folder / secret)
        environment[key] = said
    return environment


def test_the_composition_has_the_servers_the_jobs_and_every_service() -> None:
    assert set(PARTS) == SERVICES | JOBS | {"kafka", "postgres"}
    assert PARTS["kafka"]["image"] == "apache/kafka:4.3.1"
    assert PARTS["postgres"]["image"] == "postgres:18"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_is_run_by_a_module_that_exists(service: str) -> None:
    assert PARTS[service]["command"] == ["python", "-m", f"services.{service}"]
    assert (ROOT / "services" / service / "__main__.py").is_file()


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_is_a_command_that_exists(job: str) -> None:
    program, *words = PARTS[job]["command"]
    told = subprocess.run(
        [Path(sys.executable).with_name(program), *words, "--help"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert f"Usage: caseloop {job}" in told.stdout


@pytest.mark.parametrize("part", OURS)
def test_settings_exist_and_are_right(part: str, tmp_path: Path) -> None:
    environment = environment_of(part, tmp_path)
    kind = importlib.import_module(f"services.{part}.app").SERVICE.settings if part in SERVICES else Settings
    settings = configuration.load(part, kind, environment)
    assert settings.postgres_dsn.get_secret_value() == SECRETS["postgres_dsn"]
    for key in environment:
        name = key.removeprefix("CASELOOP_").removesuffix("_FILE").lower()
        assert name.removeprefix(f"{part}_") in kind.model_fields, f"{key} is no setting"


@pytest.mark.parametrize("part", OURS)
def test_what_is_ours_runs_as_nobody_special(part: str) -> None:
    assert PARTS[part]["user"] == "65532:65532"
    assert PARTS[part]["read_only"] is True
    assert PARTS[part]["cap_drop"] == ["ALL"]
    assert PARTS[part]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("part", sorted(set(PARTS) - JOBS))
def test_everything_that_stays_up_says_how_it_is(part: str) -> None:
    check = " ".join(PARTS[part]["healthcheck"]["test"])
    if part in SERVICES:
        assert "http://127.0.0.1:8080/health/ready" in check


@pytest.mark.parametrize("part", sorted(PARTS))
def test_what_is_waited_for_and_mounted_is_there(part: str) -> None:
    assert set(PARTS[part].get("depends_on", {})) <= set(PARTS)
    assert set(PARTS[part].get("secrets", [])) <= set(COMPOSITION["secrets"])
    volumes = {volume.partition(":")[0] for volume in PARTS[part].get("volumes", [])}
    assert volumes <= set(COMPOSITION["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in PARTS[part].get("ports", [])), "nothing is open to the network"


def test_no_secret_stands_in_the_files() -> None:
    for part, said in PARTS.items():
        for key, value in said["environment"].items():
            if re.search("PASSWORD|SECRET|TOKEN|DSN|KEY", key):
                assert key.endswith("_FILE") or re.fullmatch(r"\$\{\w+:-\}", value), f"{part}: {key}"
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8")
    assert "deploy/secrets" in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8")


def test_the_image_is_pinned_checked_and_not_root() -> None:
    base = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base[1])
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}
    installs = re.findall(r"(?:uv )?pip install (.*)", DOCKERFILE)
    assert all("--require-hashes" in words or "--no-deps" in words for words in installs)
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER 65532:65532\n" in final


def test_the_image_copies_files_that_exist() -> None:
    for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / word).exists() for word in words.split()[:-1])


def test_the_wheel_carries_what_runs_and_not_what_tests(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
    assert {"deploy/policies/standard.toml", "services/runtime/migrations/0001_runtime.sql"} <= names
    migrations = {path.relative_to(ROOT).as_posix() for path in (ROOT / "services").rglob("migrations/*.sql")}
    assert migrations <= names
    assert {name.partition("/")[0] for name in names if not name.startswith("caseloop-")} == {
        "contracts",
        "services",
        "deploy",
    }
