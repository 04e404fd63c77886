"""What does followup count beyond what every service counts?"""

from prometheus_client import Counter

from services.runtime.metrics import REGISTRY

VERSION_HOLES = Counter(
    "caseloop_followup_version_holes",
    "Events of the journal whose predecessor followup never saw",
    registry=REGISTRY,
)
