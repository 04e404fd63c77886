"""Of which commit does a result speak?"""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def present_commit() -> str | None:
    """Return the short name of the commit that is checked out, if anybody knows."""
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()
