"""Is a customer reached where they are, in their hours, and never where it costs a fortune?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.policy.messages import QuietHours
from contracts.values import Channel, Party
from services.notify.domain.numbers import refusal
from services.notify.domain.quiet_hours import release_at
from services.notify.domain.recipients import Recipient, Route, Unreachable, recipient_of, route, zones_of
from tests.unit.notify.story import EMAIL, NIGHT, NOW, PHONE, POLICY, SOCIAL, contact, customer

COUNTRIES = POLICY.messages.sms_countries
QUIET = QuietHours(start="21:30", end="08:00")
ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "UTC")


def seen(channel: Channel, *parties: Party) -> Recipient:
    return recipient_of(contact(channel), customer(*parties))


@pytest.mark.parametrize(
    ("recipient", "first", "way"),
    [
        (seen("phone", PHONE), "phone", ("sms", PHONE.value, None)),
        (seen("phone", EMAIL), "phone", ("email", EMAIL.value, None)),
        (seen("chat", PHONE), "chat", ("chat", PHONE.value, "chat-1")),
        (seen("chat", PHONE), "sms", ("sms", PHONE.value, None)),
        (seen("chat"), "sms", ("chat", "chat-1", "chat-1")),
        (seen("social", SOCIAL, PHONE), "social", ("social", SOCIAL.value, "social-1")),
        (seen("email", EMAIL), "email", ("email", EMAIL.value, "email-1")),
        (seen("email", EMAIL), "sms", ("email", EMAIL.value, "email-1")),
        (seen("sms", PHONE), "sms", ("sms", PHONE.value, "sms-1")),
        (replace(seen("chat", PHONE), live=False), "chat", ("sms", PHONE.value, None)),
        (replace(seen("chat", EMAIL), live=False), "chat", ("email", EMAIL.value, None)),
        (replace(seen("chat"), live=False), "chat", ("chat", "chat-1", "chat-1")),
    ],
)  # fmt: skip
def test_the_way_to_a_customer(recipient: Recipient, first: Channel, way: tuple[str, str, str | None]) -> None:
    found = route(recipient, first, COUNTRIES)
    assert isinstance(found, Route)
    assert (found.channel, found.to.value, found.conversation_id) == way


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [
        (seen("phone"), "no_address"),
        (seen("phone", Party(kind="phone", value="12345")), "number_malformed"),
        (seen("phone", Party(kind="phone", value="+5355551234")), "country_not_allowed"),
    ],
)
def test_why_a_customer_is_not_reached(recipient: Recipient, reason: str) -> None:
    assert route(recipient, "phone", COUNTRIES) == Unreachable("sms", reason)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+8613800005678", None),
        ("+14155550101", None),
        ("+18765551234", "country_not_allowed"),  # Jamaica shares the country code of the USA
        ("+19005550123", "number_costly"),
        ("+447700900123", None),
        ("+88213300000", "country_not_allowed"),  # satellite
    ],
)
def test_where_sms_may_go(number: str, why: str | None) -> None:
    assert refusal(number, COUNTRIES) == why


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - timezones says it
    st.sampled_from(ZONES),
)
def test_nobody_is_disturbed_in_quiet_hours_and_nobody_waits_longer_than_them(now: datetime, zone: str) -> None:
    release = release_at(now, [zone], QUIET)
    wall = release.astimezone(ZoneInfo(zone)).strftime("%H:%M")
    assert "08:00" <= wall < "21:30"
    assert now <= release <= now + timedelta(hours=12)


def test_a_customer_who_may_be_in_several_zones_is_left_in_peace_in_each() -> None:
    release = release_at(datetime(2026, 11, 2, 13, 30, tzinfo=UTC), ["America/New_York", "America/Los_Angeles"], QUIET)
    assert release == datetime(2026, 11, 2, 16, 0, tzinfo=UTC)


def test_by_day_nothing_waits() -> None:
    assert release_at(NOW, ["Asia/Shanghai"], QUIET) == NOW
    assert release_at(NIGHT, ["Asia/Shanghai"], QUIET) == datetime(2026, 11, 3, 0, 0, tzinfo=UTC)


def test_the_zone_is_the_stated_one_the_numbers_or_the_policys() -> None:
    base = seen("phone", PHONE)
    assert zones_of(replace(base, time_zone="Europe/Paris"), "UTC") == ("Europe/Paris",)
    assert zones_of(replace(base, time_zone="../etc/passwd"), "UTC") == ("Asia/Shanghai",)
    assert zones_of(seen("email", EMAIL), "Asia/Tokyo") == ("Asia/Tokyo",)
