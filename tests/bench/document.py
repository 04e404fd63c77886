"""What does the document of a run say, and what of earlier runs does it keep?

``environment`` is the newest; ``details`` has a part for each workload with the environment of its own run, since
they are often measured on different days.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.workload import Measured

Document = dict[str, Any]
PARTS = ("environment", "figures", "details")


def of(
    workload: str, measured: Measured, environment: Mapping[str, Any], share: Mapping[str, float], *, quick: bool
) -> Document:
    """Return what one workload has to say."""
    own = {**environment, **measured.environment}
    measured_in = {**own, **share, "quick": quick, "measured_on": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}
    return {
        "environment": own,
        "figures": measured.figures(),
        "details": {workload: {**measured.details, "environment": measured_in}},
    }


def merged(older: Mapping[str, Any], newer: Mapping[str, Any]) -> Document:
    """Return both; where both say something the newer is right."""
    gone = {name for name in older.get("figures", {}) if name.partition("_")[0] in newer["details"]}
    kept = {name: figure for name, figure in older.get("figures", {}).items() if name not in gone}
    return {
        "environment": {**older.get("environment", {}), **newer["environment"]},
        "figures": kept | newer["figures"],
        "details": {**older.get("details", {}), **newer["details"]},
    }


def keep(path: Path, result: Document) -> None:
    """Write a result beside those of the workloads that it does not speak of."""
    path.parent.mkdir(exist_ok=True)
    older = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps(merged(older, result), indent=1) + "\n", "utf-8")
