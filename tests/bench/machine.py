"""On which machine was something measured? A figure says little without it."""

import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Return what a report says of this machine."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
