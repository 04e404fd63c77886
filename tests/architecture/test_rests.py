"""Does each service rest for as long as was decided (ADR 0014, 0018)?"""

from services.runtime.waiting import Rest
from tests.bench.captured import SERVICES


def test_the_longer_the_less_anybody_waits_for_the_service() -> None:
    rests = {service.name: service.rest for service in SERVICES}
    assert rests == {
        "router": Rest(turns=0.5, seconds_max=0.03),
        "intake": Rest(turns=3.0, seconds_max=0.075),
        "followup": Rest(turns=4.0, seconds_max=0.1),
        "notify": Rest(turns=20.0, seconds_max=0.25),
        "desk": Rest(turns=20.0, seconds_max=0.25),
    }
