"""What is the smallest service whose every event has an effect? ``python -m tests.bench.hop`` runs it as in production.

Each command moves one row of state and is answered by one message; everything else is the runtime's.
"""

from collections import Counter
from collections.abc import Sequence

from contracts.desk import ReachMilestone
from contracts.policy import Policy
from contracts.values import PolicyRef
from services.runtime.service import Service, run
from services.runtime.work import Handler, Outgoing, Work
from tests.support.tiny_service import answer, case_of

NAME = "hop"
STATE = """
CREATE TABLE state (case_id uuid PRIMARY KEY, events integer NOT NULL, body bytea NOT NULL) WITH (fillfactor = 50)
"""
MOVE = """
-- hop.move: the state of every case that an event speaks of
INSERT INTO state (case_id, events, body)
SELECT case_id, events, body FROM unnest($1::uuid[], $2::integer[], $3::bytea[]) AS s (case_id, events, body)
ORDER BY case_id
ON CONFLICT (case_id) DO UPDATE SET events = state.events + excluded.events, body = excluded.body
"""


def handler_of(policy: Policy) -> Handler:
    """Return the handler."""
    judged_by = PolicyRef(name=policy.name, version=policy.version)

    async def handle(work: Work) -> Sequence[Outgoing]:
        about = [(received, case_of(received)) for received in work.received]
        events = Counter(case for _, case in about)
        newest = {case: received.value for received, case in about}
        await work.connection.execute(MOVE, list(newest), [events[case] for case in newest], list(newest.values()))
        return [answer(received, case, judged_by) for received, case in about]

    return handle


SERVICE = Service(name=NAME, topics=(ReachMilestone.topic,), wants=frozenset({ReachMilestone}), handler_of=handler_of)

if __name__ == "__main__":
    run(SERVICE)
