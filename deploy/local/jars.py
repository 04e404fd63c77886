"""Where do the broker's jars come from, and are they the ones we know?

``kafka.lock`` names each jar with its SHA-256. It is written anew, for a change of the version, by
``python -m deploy.local lock``. Jars of another lock come the same way.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.cache import cache_dir, exclusively
from deploy.local.errors import LocalServerError

KAFKA_VERSION = "4.3.1"
_BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Lets the broker write a log. Locked by itself: its dependency management would turn the broker's jars back."""
_LOCK = Path(__file__).with_name("kafka.lock")
_DOWNLOADS_AT_ONCE = 8
_TIMEOUT_SECONDS = 60


def kafka_jars(tell: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Return the broker's jars, fetched on first use and checked against the lock; one caller at a time fetches."""
    return locked_jars(_LOCK, f"Apache Kafka {KAFKA_VERSION}", KAFKA_VERSION, tell)


def locked_jars(lock: Path, title: str, version: str, tell: Callable[[str], None]) -> list[Path]:
    """Return the jars that this lock names; a set lies in a folder of its own: another lock, another folder."""
    wanted = _locked(lock)
    folder = cache_dir() / lock.stem / f"{version}-{_digest(lock)[:12]}"
    with exclusively(f"{lock.stem}-jars"):
        if not (folder / "complete").exists():
            tell(f"fetching {title}: {len(wanted)} jars from Maven Central, once")
            with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
                list(pool.map(lambda coordinates: _fetch(coordinates, folder, wanted[coordinates]), wanted))
            (folder / "complete").touch()
    return [_path(folder, coordinates) for coordinates in wanted]


def write_lock(lock: Path = _LOCK, root: str = _BROKER, alone: Sequence[str] = (_LOGGING,)) -> None:
    """Resolve the root anew and write down what it needs, then what stands alone, and the digest of each."""
    import jgo

    found = [f"{jar.groupId}:{jar.artifactId}:{jar.version}" for jar in jgo.resolve(root)]
    folder = cache_dir() / lock.stem / "locking"
    lines = [f"{_digest(_fetch(coordinates, folder))}  {coordinates}\n" for coordinates in [*found, *alone]]
    lock.write_text("".join(lines), encoding="ascii")


def _locked(lock: Path) -> dict[str, str]:
    lines = [line.split() for line in lock.read_text(encoding="ascii").splitlines()]
    return {coordinates: digest for digest, coordinates in lines}


def _path(folder: Path, coordinates: str) -> Path:
    group, artifact, version = coordinates.split(":")
    return folder.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")


def _fetch(coordinates: str, folder: Path, digest: str | None = None) -> Path:
    import requests
    from jgo.maven import MavenContext  # heavy, and needed once

    group, artifact, version = coordinates.split(":")
    maven = MavenContext(repo_cache=folder, local_repos=[], timeout=_TIMEOUT_SECONDS)
    # What an earlier, interrupted download left is not to be trusted.
    _path(folder, coordinates).unlink(missing_ok=True)
    try:
        jar: Path = maven.project(group, artifact).at_version(version).artifact().resolve()
    except (requests.RequestException, RuntimeError, OSError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise LocalServerError(
            f"{coordinates} cannot be fetched ({reason}): try again, or give --kafka ADDRESS"
        ) from error
    if digest is not None and _digest(jar) != digest:
        jar.unlink()
        raise LocalServerError(
            f"{coordinates} is not the jar that the lock knows: it was removed, nothing of it has run"
        )
    return jar


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
