from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from tests.factories import ChannelFactory
from trochai.whatsapp import rate
from trochai.whatsapp.models import Channel

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
MILLISECOND = dt.timedelta(milliseconds=1)


def grants(channel, *, seconds, step=10 * MILLISECOND, wanted=1000):
    """Ask for as much as there is, every ``step``; return when each message was granted."""
    moments, now = [], NOW
    while now < NOW + seconds * SECOND:
        moments += [now] * rate.reserve(channel.pk, wanted, now)
        now += step
    return moments


def most_in_a_second(moments):
    return max(sum(1 for other in moments if start <= other < start + SECOND) for start in set(moments))


@pytest.mark.parametrize("limit", [1, 2, 5, 10, 75, 80, 250, 1000])
def test_no_second_sees_more_than_the_limit_and_nearly_all_of_it_is_used(db, limit):
    moments = grants(ChannelFactory(messages_per_second=limit), seconds=3)
    assert most_in_a_second(moments) <= limit
    assert len(moments) >= 3 * limit * 0.85


def test_a_pause_earns_no_more_than_a_short_burst(channel):
    assert rate.reserve(channel.pk, 1000, NOW) == 9
    assert rate.reserve(channel.pk, 1000, NOW) == 0
    assert rate.reserve(channel.pk, 1000, NOW + dt.timedelta(hours=5)) == 9


def test_only_what_is_wanted_is_taken(channel):
    assert [rate.reserve(channel.pk, 2, NOW) for _ in range(6)] == [2, 2, 2, 2, 1, 0]
    assert rate.reserve(channel.pk, 0, NOW + SECOND) == 0
    assert rate.reserve(channel.pk, -1, NOW + SECOND) == 0


def test_a_channel_that_is_gone_grants_nothing(db):
    assert rate.reserve(999, 5, NOW) == 0


def test_channels_do_not_share_a_line(channel):
    rate.reserve(channel.pk, 1000, NOW)
    assert rate.reserve(ChannelFactory().pk, 1000, NOW) == 9


def test_the_next_free_slot_is_known(channel):
    assert rate.free_at(channel.pk, NOW) == NOW
    rate.reserve(channel.pk, 1000, NOW)
    free = rate.free_at(channel.pk, NOW)
    assert NOW < free <= NOW + 20 * MILLISECOND
    assert rate.reserve(channel.pk, 1000, free - dt.timedelta(microseconds=1)) == 0
    assert rate.reserve(channel.pk, 1000, free) == 1


def test_slowing_down_holds_the_whole_line_back_and_lets_no_burst_follow(channel):
    rate.slow_down(channel.pk, 30 * SECOND, NOW)
    assert rate.reserve(channel.pk, 1000, NOW + 29 * SECOND) == 0
    assert rate.reserve(channel.pk, 1000, NOW + 30 * SECOND) == 1


def test_slowing_down_never_speeds_up_and_never_lasts_more_than_five_minutes(channel):
    rate.slow_down(channel.pk, dt.timedelta(days=3), NOW)
    rate.slow_down(channel.pk, SECOND, NOW)
    assert rate.free_at(channel.pk, NOW) == NOW + dt.timedelta(minutes=5)


def test_a_slot_far_ahead_by_somebodys_wrong_clock_does_not_block_the_line_for_long(channel):
    Channel.objects.update(next_slot_at=NOW + dt.timedelta(days=400))
    assert rate.free_at(channel.pk, NOW) == NOW + dt.timedelta(minutes=5)


def test_it_costs_two_short_statements(channel, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        rate.reserve(channel.pk, 10, NOW)


@pytest.mark.django_db(transaction=True)
def test_workers_on_connections_of_their_own_share_one_limit(in_threads):
    channel = ChannelFactory()

    def work(number):
        return [(tick, rate.reserve(channel.pk, 3, NOW + tick * 50 * MILLISECOND)) for tick in range(20)]

    by_tick = Counter()
    for ticks in in_threads(work, 6):
        for tick, granted in ticks:
            by_tick[tick] += granted
    assert sum(by_tick.values()) <= 75
    assert sum(by_tick.values()) >= 60
