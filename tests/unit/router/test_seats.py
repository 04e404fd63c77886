"""Is what a round of matching has made gone when the round is over?"""

import gc
import weakref

from services.router.domain.seats import Floor, Scope
from tests.unit.router.given import NOW, an_agent


def test_nothing_of_a_round_waits_for_the_collector_of_garbage() -> None:
    gc.disable()
    try:
        floor = Floor([an_agent("a-1", skills={"network": 2}), an_agent("a-2")], NOW)
        circle = floor.circle(Scope(None, None, None), (("network", 1),), ("network",))
        assert [seat.agent.agent_id for _, seat in circle.best(floor, "chat", 1, 0)] == ["a-1"]
        assert circle.unskilled(floor)
        gone = weakref.ref(floor)
        del floor, circle
        assert gone() is None
    finally:
        gc.enable()
