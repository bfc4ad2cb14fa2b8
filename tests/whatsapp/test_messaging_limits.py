"""How many people a portfolio may write to first: asked for once a day, and told by webhooks."""

from __future__ import annotations

import datetime as dt

import pytest

from tests import factories
from tests.webhooks.meta import post
from trochai.whatsapp import limit_reading, messaging_limits
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.models import Channel

NOW = dt.datetime(2026, 11, 30, 15, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def people(team) -> list[int | None]:
    return [limit.people for limit in limits_of(team).values()]


def limits_of(team) -> dict[str, messaging_limits.MessagingLimit]:
    return messaging_limits.of_portfolios(Channel.objects.for_organization(team.organization))


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("TIER_50", 50),
        ("TIER_250", 250),
        ("TIER_2K", 2_000),
        ("TIER_10K", 10_000),
        ("TIER_100K", 100_000),
        ("TIER_UNLIMITED", None),
    ],
)
def test_what_meta_says_of_a_number_is_known_afterwards(team, meta, told, number):
    meta.limits[team.channel.phone_number_id] = told
    assert limit_reading.read_due(now=NOW) == 1
    assert people(team) == [number]


@pytest.mark.parametrize("told", ["", "TIER_", "A LOT", "TIER_2M", "-5", "9" * 40])
def test_what_nobody_can_read_is_not_claimed(team, meta, told):
    meta.limits[team.channel.phone_number_id] = told
    assert limit_reading.read_due(now=NOW) == 0
    assert people(team) == []


def test_without_a_permission_nothing_is_claimed_and_the_rest_is_read(team, meta):
    other = factories.ChannelFactory(organization=team.organization)
    meta.limits[other.phone_number_id] = "TIER_2K"
    assert limit_reading.read_due(now=NOW) == 1
    assert people(team) == [2_000]


def test_a_number_is_asked_once_a_day_and_a_stopped_one_when_it_works_again(team, meta):
    meta.limits[team.channel.phone_number_id] = "TIER_2K"
    limit_reading.read_due(now=NOW)
    meta.limits[team.channel.phone_number_id] = "TIER_10K"
    assert limit_reading.read_due(now=NOW + HOUR) == 0
    Channel.objects.update(stopped_at=NOW, stop_code=131042)
    assert limit_reading.read_due(now=NOW + 24 * HOUR) == 0
    Channel.objects.update(stopped_at=None, stop_code=None)
    assert limit_reading.read_due(now=NOW + 24 * HOUR) == 1
    assert people(team) == [10_000]


def test_a_portfolio_has_one_limit_and_what_was_said_last_holds(team):
    other = factories.ChannelFactory(organization=team.organization)
    known = {"portfolio_id": "880"}
    channels = Channel.objects.filter(organization=team.organization)
    channels.update(**known, messaging_limit="TIER_250", messaging_limit_at=NOW - HOUR)
    channels.filter(pk=other.pk).update(messaging_limit="TIER_2K", messaging_limit_at=NOW)
    limit = messaging_limits.MessagingLimit(2_000, NOW)
    assert limits_of(team) == {"880": limit}


@pytest.mark.parametrize(
    ("field", "value", "number"),
    [
        ("business_capability_update", {"max_daily_conversations_per_business": 2000}, 2_000),
        ("business_capability_update", {"max_daily_conversations_per_business": "TIER_UNLIMITED"}, None),
        ("business_capability_update", {"max_daily_conversation_per_phone": -1}, None),
        (
            "phone_number_quality_update",
            {"event": "UPGRADE", "max_daily_conversations_per_business": "TIER_10K"},
            10_000,
        ),
    ],
)
def test_a_webhook_tells_it_too(team, field, value, number):
    post(team.channel, field, metadata=None, **value)
    assert people(team) == [number]


def test_a_webhook_that_says_nothing_of_it_leaves_what_is_known(team):
    Channel.objects.update(messaging_limit="TIER_2K", messaging_limit_at=NOW)
    post(team.channel, "business_capability_update", metadata=None, max_phone_numbers_per_waba=25)
    assert people(team) == [2_000]


def test_the_sandbox_answers_as_meta_does(sandbox, channel):
    assert client_for(channel).messaging_limit() == "TIER_2K"
