"""Is a conversation known by its channel and the gateway's id together?"""

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.scope import channel_of, family_of, gateway_id, scoped

CHANNELS = ("phone", "chat", "email", "social", "sms")


@given(st.sampled_from(CHANNELS), st.text(max_size=40))
def test_a_key_gives_back_the_channel_and_the_gateways_id(channel: str, conversation_id: str) -> None:
    key = scoped(channel, conversation_id)
    assert (channel_of(key), gateway_id(key)) == (channel, conversation_id)


@given(st.text(max_size=40))
def test_one_id_on_two_channels_is_two_conversations(conversation_id: str) -> None:
    assert len({scoped(channel, conversation_id) for channel in CHANNELS}) == len(CHANNELS)


def test_a_call_and_an_sms_are_one_kind_of_channel() -> None:
    families = {channel: family_of(channel) for channel in CHANNELS}
    assert families["phone"] == families["sms"]
    assert len(set(families.values())) == len(CHANNELS) - 1
