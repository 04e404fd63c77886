"""Does the dependency rule hold, and can each of its contracts fail?"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.architecture.sources import PRODUCT, ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
SERVICES = ("intake", "router", "followup", "notify", "desk")


class Trespass(NamedTuple):
    """A line that must not be written, where it stands, and the contract that refuses it."""

    contract: str
    module: str
    line: str


TRESPASSES = (
    Trespass("contracts", "contracts/trespass.py", "import services.runtime"),
    Trespass("contracts", "contracts/trespass.py", "import asyncpg"),
    Trespass("contracts", "contracts/policy/trespass.py", "import deploy"),
    *(Trespass("runtime", "services/runtime/trespass.py", f"import services.{name}") for name in (*SERVICES, "cli")),
    Trespass("independent", "services/router/trespass.py", "import services.intake.app"),
    Trespass("independent", "services/desk/trespass.py", "from services.router import storage"),
    Trespass("independent", "services/cli/trespass.py", "import services.desk.storage"),
    Trespass("independent", "services/notify/trespass.py", "import services.cli"),
    Trespass("domain", "services/router/domain/trespass.py", "import asyncio"),
    Trespass("domain", "services/intake/domain/trespass.py", "import logging"),
    Trespass("domain", "services/notify/domain/trespass.py", "import asyncpg"),
    Trespass("domain", "services/desk/domain/trespass.py", "from services.runtime import clock"),
    Trespass("deploy", "deploy/local/trespass.py", "import services.runtime.settings"),
    Trespass("servers", "services/runtime/trespass.py", "from deploy.local import start_kafka"),
    Trespass("servers", "services/intake/trespass.py", "import deploy"),
    Trespass("layers", "services/router/domain/trespass.py", "import services.router.storage"),
    Trespass("layers", "services/notify/storage/trespass.py", "import services.notify.handlers"),
    Trespass("layers", "services/notify/senders/trespass.py", "import services.notify.storage"),
    Trespass("layers", "services/desk/handlers/trespass.py", "import services.desk.app"),
    Trespass("layers", "services/desk/app/trespass.py", "import services.desk.__main__"),
)


def check(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in this folder."""
    only = [word for contract in contracts for word in ("--contract", contract)]
    program = str(Path(sys.executable).with_name("lint-imports"))
    return subprocess.run([program, "--no-cache", *only], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree, with every layer of every service there, in which a test may write."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PRODUCT:
        skipped = shutil.ignore_patterns("*.json", "*.sql", "*.toml", "*.yaml", "__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=skipped)
    for service in (*SERVICES, "cli"):
        for layer in ("app", "handlers", "storage", "senders", "domain"):
            stub(folder / "services" / service / layer)
        stub(folder / "services" / service)
    return folder


def stub(module: Path) -> None:
    """Make sure that there is such a package, whether it is a file, a folder or nothing yet."""
    file = module.with_suffix(".py")
    module.mkdir(parents=True, exist_ok=True)
    init = module / "__init__.py"
    if file.exists():
        file.rename(init)
    elif not init.exists():
        init.write_text('"""A stub."""\n', encoding="utf-8")


def test_the_rule_holds() -> None:
    checked = check(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_copy_keeps_the_rule(copied: Path) -> None:
    checked = check(copied)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("trespass", TRESPASSES, ids=lambda trespass: f"{trespass.contract}: {trespass.line}")
def test_a_contract_can_fail(copied: Path, trespass: Trespass) -> None:
    module = copied / trespass.module
    module.write_text(f'"""A trespass."""\n\n{trespass.line}\n', encoding="utf-8")
    try:
        checked = check(copied, trespass.contract)
    finally:
        module.unlink()
    assert "trespass" in checked.stdout, checked.stdout + checked.stderr
    assert checked.returncode == 1


def test_every_contract_has_been_seen_to_fail() -> None:
    assert {trespass.contract for trespass in TRESPASSES} == {contract["id"] for contract in CONTRACTS}


@pytest.mark.parametrize("service", SERVICES)
def test_what_speaks_to_a_collector_is_loaded_by_whoever_has_one(service: str) -> None:
    """It takes 3 MiB of every process."""
    program = f"import sys, services.{service}.__main__; sys.exit('google.protobuf' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
