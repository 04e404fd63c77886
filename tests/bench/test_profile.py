"""Is a sample of a service's stack counted as the kind of work that it is?"""

import pytest

from tests.bench.profile import PARTS, counted, part_of

ROOT = "run (services/runtime/service.py:1);Runner.run (asyncio/runners.py:1)"
SETTLING = (
    f"{ROOT};Subscription._settle (services/runtime/subscription.py:1);Consumer.settle (services/runtime/consumer.py:1)"
)
HANDLING = (
    f"{SETTLING};Processing._said (services/runtime/processing.py:1);handle (services/router/handlers/messages.py:1)"
)


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        (ROOT, "loop"),
        (f"{ROOT};AIOKafkaConnection._read (aiokafka/conn.py:1)", "read"),
        (
            f"{ROOT};Fetcher._fetch (aiokafka/consumer/fetcher.py:1);AIOKafkaConnection.send (aiokafka/conn.py:1)",
            "read",
        ),
        (
            f"{ROOT};Sender._send (aiokafka/producer/sender.py:1);AIOKafkaConnection.send (aiokafka/conn.py:1)",
            "produce",
        ),
        (f"{SETTLING};_open (services/runtime/envelope.py:1);UUID.__init__ (uuid.py:1)", "decode"),
        (
            f"{HANDLING};decide_report (services/router/domain/reports.py:1);BaseModel.__init__ (pydantic/main.py:1)",
            "decide",
        ),
        (f"{HANDLING};seal (contracts/router/event.py:1);BaseModel.model_dump (pydantic/main.py:1)", "encode"),
        (f"{HANDLING};save (services/router/storage/cases.py:1);execute (asyncpg/connection.py:1)", "SQL"),
        (
            f"{HANDLING};load (services/router/storage/cases.py:1);BaseModel.model_validate_json (pydantic/main.py:1)",
            "decode",
        ),
        (f"{ROOT};Relay._send (services/runtime/relay.py:1);unpack (services/runtime/frames.py:1)", "produce"),
        (f"{ROOT};append (services/runtime/outbox.py:1);pack (services/runtime/frames.py:1)", "encode"),
        (f"{ROOT};SmsSender.send (services/notify/senders/sms.py:1);write (aiohttp/http_writer.py:1)", "HTTP"),
        (f"{SETTLING};Log.info (services/runtime/logs.py:1);dumps (json/__init__.py:1)", "rest"),
    ],
)
def test_the_innermost_frame_that_tells_decides(frames: str, part: str) -> None:
    assert part_of(frames) == part
    assert part in PARTS


def test_the_samples_of_a_kind_are_added() -> None:
    raw = f"{ROOT} 3\n{ROOT};Sender._send (aiokafka/producer/sender.py:1) 2\n{ROOT} 4\n"

    assert counted(raw) == {"loop": 7, "produce": 2}
