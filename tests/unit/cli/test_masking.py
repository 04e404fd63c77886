"""Does a masked record show what helps and nothing that may be personal?"""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channel import MessageReceived
from contracts.registry import MESSAGES
from services.cli.masking import MASK, masked
from tests.support.examples import example

PERSONAL = "Li Lei +8613800001111"


def _said(**changes: object) -> bytes:
    data = {
        "channel": "chat",
        "conversation_id": "web-1",
        "message_id": "m-1",
        "author": "customer",
        "from": [{"kind": "phone", "value": PERSONAL}],
        "text": PERSONAL,
    }
    return orjson.dumps({**data, **changes})


def _shown(value: bytes, type_name: str = MessageReceived.type) -> str:
    shown = masked(value, type_name)
    assert shown is not None
    return shown


def test_what_the_contract_declares_and_does_not_mark_is_shown() -> None:
    shown = orjson.loads(_shown(_said()))
    assert (shown["conversation_id"], shown["author"], shown["from"][0]["kind"]) == ("web-1", "customer", "phone")
    assert (shown["text"], shown["from"][0]["value"]) == (MASK, MASK)


@pytest.mark.parametrize(
    "changes",
    [
        {"author": PERSONAL},
        {"unknown": PERSONAL},
        {PERSONAL: 1},
        {"from": PERSONAL},
        {"from": [[PERSONAL]]},
        {"channel": {"name": PERSONAL}},
        {"agent_id": {"x": [PERSONAL]}},
        {"attachments": [{"name": PERSONAL, "media_type": "image/png", "size_bytes": PERSONAL, "url": PERSONAL}]},
    ],
)
def test_what_stands_where_it_does_not_belong_is_not_shown(changes: dict[str, object]) -> None:
    assert PERSONAL not in _shown(_said(**changes))
    assert PERSONAL not in masked_keys(_shown(_said(**changes)))


def masked_keys(text: str) -> list[str]:
    return list(orjson.loads(text))


def test_bytes_that_nobody_understands_are_told_by_their_size() -> None:
    assert masked(None, MessageReceived.type) is None
    for value, name in ((PERSONAL.encode(), MessageReceived.type), (_said(), "caseloop.unheard.of.v1"), (b"\xff", "")):
        assert _shown(value, name).startswith(f"{len(value)} bytes, not shown")


@given(st.sampled_from(sorted(MESSAGES)))
def test_every_message_of_ours_is_shown_without_its_personal_texts(name: str) -> None:
    shown = orjson.loads(_shown(example(MESSAGES[name]).value(), name))
    assert isinstance(shown, dict)
    assert MASK not in shown
