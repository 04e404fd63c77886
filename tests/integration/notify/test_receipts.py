"""Does a receipt get in only when it is genuine, and does it change something only once?"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
import uvicorn
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette

from contracts.channel import DeliveryReported
from contracts.message import derived_id
from contracts.notify import NotificationUndelivered
from contracts.values import rfc3339
from services.notify.channels.receipts import routes
from services.runtime.clock import SystemClock
from services.runtime.http import bound_socket
from tests.integration.notify.stand import SECRET, Stand, a_provider, standing
from tests.integration.notify.test_dispatching import case
from tests.unit.notify.story import NOW

Status = Literal["accepted", "sent", "delivered", "read", "failed", "undelivered"]


@pytest.fixture
async def notify(postgres_database: str) -> AsyncIterator[Stand]:
    async with standing(postgres_database) as stand:
        yield stand


@pytest.fixture
async def edge(notify: Stand) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=routes(notify.context)))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
        yield http


def signed(body: str, late_seconds: int = 0) -> dict[str, str]:
    at = SystemClock().now() - timedelta(seconds=late_seconds)
    signature = Webhook(SECRET).sign("msg_1", at, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def a_receipt(**fields: Any) -> str:  # noqa: ANN401 - fields of a receipt
    return json.dumps({"provider_ref": "p-1", "status": "delivered", "at": rfc3339(NOW)} | fields)


async def test_a_genuine_receipt_is_written_to_kafka_under_an_id_that_a_repeat_has_too(
    notify: Stand,
    edge: httpx.AsyncClient,
) -> None:
    delivery_id = derived_id("delivery")
    body = a_receipt(client_reference=str(delivery_id), price="0.05")
    answers = [await edge.post("/providers/sms/receipts", content=body, headers=signed(body)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    one, two = notify.recorder.frames
    assert one.topic == "channel.receipts"
    assert dict(one.headers)["ce_id"] == dict(two.headers)["ce_id"]
    report = DeliveryReported.read(one.value)
    assert (report.delivery_id, report.provider, report.provider_ref) == (delivery_id, "sms", "p-1")


@pytest.mark.parametrize(
    ("path", "body", "changed", "status"),
    [
        ("/providers/sms/receipts", a_receipt(), {"webhook-signature": "v1,AAAA"}, 401),
        ("/providers/sms/receipts", a_receipt(), signed(a_receipt(), late_seconds=3600), 401),
        ("/providers/sms/receipts", a_receipt(provider_ref="p-2"), signed(a_receipt()), 401),
        ("/providers/other/receipts", a_receipt(), {}, 404),
        ("/providers/sms/receipts", a_receipt(reason="x" * 20_000), {}, 413),
        ("/providers/sms/receipts", a_receipt(status="eaten"), {}, 400),
        ("/providers/sms/receipts", "not json", {}, 400),
    ],
)
async def test_what_is_not_a_genuine_receipt_is_refused(
    notify: Stand,
    edge: httpx.AsyncClient,
    path: str,
    body: str,
    changed: dict[str, str],
    status: int,
) -> None:
    answer = await edge.post(path, content=body, headers=signed(body) | changed)
    assert answer.status_code == status
    assert notify.recorder.frames == []


async def test_while_kafka_is_away_the_provider_is_told_to_repeat(notify: Stand, edge: httpx.AsyncClient) -> None:
    notify.recorder.problem = "no ack"
    body = a_receipt()
    answer = await edge.post("/providers/sms/receipts", content=body, headers=signed(body))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def sent(notify: Stand) -> str:
    """Let one milestone be sent, as far as the tables know, and return its id."""
    await notify.hear(*case())
    row = await notify.context.pool.fetchrow(
        "UPDATE deliveries SET state = 'sent', provider = 'sms', provider_ref = 'p-1', due_at = NULL"
        " RETURNING delivery_id",
    )
    assert row is not None
    return str(row["delivery_id"])


def report(status: Status, **fields: Any) -> DeliveryReported:  # noqa: ANN401 - fields of a report
    return DeliveryReported.model_validate(
        {"provider": "sms", "provider_ref": "p-1", "status": status, "at": NOW} | fields,
    )


@pytest.mark.parametrize("order", list(permutations(("accepted", "sent", "delivered"))))
async def test_receipts_in_any_order_tell_of_one_delivery(notify: Stand, order: tuple[Status, ...]) -> None:
    await sent(notify)
    for status in (*order, *order):
        await notify.hear(report(status))
    assert await notify.names() == ["delivered"]
    assert await notify.states() == ["delivered"]


async def test_a_message_that_does_not_arrive_is_told_with_the_reason(notify: Stand) -> None:
    await sent(notify)
    await notify.hear(report("undelivered", reason="absent_subscriber"), report("sent"))
    [failed] = await notify.said()
    assert isinstance(failed, NotificationUndelivered)
    assert failed.reason == "absent_subscriber"


async def test_a_receipt_of_nothing_we_know_changes_nothing(notify: Stand) -> None:
    await notify.hear(report("delivered", delivery_id=derived_id("nobody"), provider=None, provider_ref=None))
    assert await notify.said() == []


async def test_a_receipt_may_be_quicker_than_the_record_of_the_call(postgres_database: str, tmp_path: Path) -> None:
    async with a_provider(tmp_path) as provider, standing(postgres_database, provider.url) as stand:
        await stand.hear(*case())
        delivery_id = await stand.context.pool.fetchval("SELECT delivery_id FROM deliveries")
        offered = {"to": "+1", "text": "x", "sender": "x", "client_reference": str(delivery_id)}
        ref = (await provider.http.post("/messages", json=offered)).json()["provider_ref"]
        await stand.hear(report("delivered", provider_ref=ref))
        assert await stand.names() == []
        async with stand.dispatching():
            await stand.until_states("delivered")
        assert await stand.names() == ["sent", "delivered"]


async def test_an_unknown_delivery_is_resolved_by_its_receipt(notify: Stand) -> None:
    delivery_id = await sent(notify)
    await notify.context.pool.execute("UPDATE deliveries SET state = 'unknown', provider_ref = NULL")
    nobodys, own = (report("delivered", delivery_id=each) for each in (derived_id("x"), UUID(delivery_id)))
    await notify.hear(nobodys, own)
    assert await notify.names() == ["sent", "delivered"]


async def test_the_double_reports_signed_duplicated_and_again_until_it_is_heard(
    postgres_database: str,
    tmp_path: Path,
) -> None:
    async with a_provider(tmp_path) as provider, standing(postgres_database, provider.url) as stand:
        listening = bound_socket("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/providers/sms/receipts"
        await provider.behave(receipts="failed", duplicate_receipts=True, receipts_url=url)
        stand.recorder.problem = "Kafka is away"
        server = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes(stand.context)), log_config=None, lifespan="off"),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listening]))
            async with stand.dispatching():
                await stand.hear(*case())
                await stand.until_states("sent")
            stand.recorder.problem = None
            async with asyncio.timeout(20):
                while len(stand.recorder.frames) < 2:  # noqa: ASYNC110 - another process has to repeat itself
                    await asyncio.sleep(0.01)
            server.should_exit = True
        await stand.hear(*[DeliveryReported.read(frame.value) for frame in stand.recorder.frames])
        assert await stand.names() == ["sent", "failed"]
