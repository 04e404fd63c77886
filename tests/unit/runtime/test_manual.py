"""Does the manual list every setting and every metric as they are?"""

from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from services.runtime import metrics
from services.runtime.settings import STANDARD_POLICY, Settings

MANUAL = Path(metrics.__file__).with_name("README.md")


def settings_table() -> str:
    """Return the table of settings as it stands in the manual."""
    lines = ["| key | unless set | set it to |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        given = "(must be set)" if field.is_required() else _shown(field.default)
        lines.append(f"| `CASELOOP_{name.upper()}` | {given} | {field.description} |")
    return "\n".join(lines)


def metrics_table() -> str:
    """Return the table of metrics as it stands in the manual."""
    ours = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
    families = [family for metric in ours for family in metric.collect()]  # services bring metrics of their own
    lines = ["| metric | kind | what |", "| --- | --- | --- |"]
    lines += [f"| `{family.name}` | {family.type} | {family.documentation} |" for family in families]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if value is None or value == "":
        return ""
    return "the shipped standard pack" if value == STANDARD_POLICY else f"`{value}`"


def test_the_manual_lists_every_setting() -> None:
    assert settings_table() in MANUAL.read_text()


def test_the_manual_lists_every_metric() -> None:
    assert metrics_table() in MANUAL.read_text()
