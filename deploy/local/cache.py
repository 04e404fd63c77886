"""Where does lie what is fetched or prepared once, and how are two preparers kept apart?"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder: ``CASELOOP_CACHE_DIR``, else ``caseloop`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("CASELOOP_CACHE_DIR")
    path = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caseloop"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


@contextmanager
def exclusively(name: str) -> Iterator[None]:
    """Hold the machine-wide lock of one preparation: the second preparer waits and then finds the work done."""
    with (cache_dir() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
