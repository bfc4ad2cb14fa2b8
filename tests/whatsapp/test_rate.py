from __future__ import annotations

import datetime as dt
import itertools
import time

import pytest
import redis

from tests.factories import ChannelFactory
from trochai.whatsapp import rate
from trochai.whatsapp.models import Channel

SECOND = dt.timedelta(seconds=1)


@pytest.fixture(params=["database", "redis"])
def line(request, settings, db):
    """A channel with 75 messages a second, on each of the two places where lines are kept."""
    if request.param == "database":
        settings.REDIS_URL = ""
    elif not settings.REDIS_URL:
        pytest.skip("needs REDIS_URL")
    return ChannelFactory()


def most_in_a_second(moments):
    return max(sum(1 for other in moments if start <= other < start + 1) for start in set(moments))


# As if asked for twice over: a machine that stands still for a moment loses no slots.
AHEAD = 2 * SECOND


def drain(channel, *, seconds):
    """Ask every 20 ms for all there is; return when each message may leave."""
    moments, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        moments += rate.reserve(channel, 1000, ahead=AHEAD).times()
        time.sleep(0.02)
    return moments


@pytest.mark.parametrize("limit", [1, 20, 75, 200])
def test_all_of_the_rate_is_used_and_no_second_sees_more(line, limit):
    line.messages_per_second = limit
    moments = drain(line, seconds=1)
    # A process places slots on its own clock after a round trip, which takes now more and now less.
    assert most_in_a_second(moments) <= limit * 1.1 + 1
    assert len(moments) >= int(2.9 * limit)


def test_messages_leave_evenly(line):
    moments = list(rate.reserve(line, 1000).times())
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == pytest.approx([1 / 75] * len(gaps), rel=0.01)


def test_a_pause_earns_nothing(line):
    rate.reserve(line, 1)
    time.sleep(0.3)
    began = time.monotonic()
    assert min(rate.reserve(line, 1000).times()) >= began


def test_only_what_is_wanted_is_taken(line):
    assert rate.reserve(line, 2).count == 2
    assert rate.reserve(line, 3).count == 3
    assert rate.reserve(line, 0).count == 0
    assert rate.reserve(line, -1).count == 0


def test_what_was_not_used_is_there_for_the_next(line):
    first = rate.reserve(line, 15)
    rate.give_back(line, first, 10)
    second = rate.reserve(line, 1)
    assert next(iter(second.times())) < list(first.times())[14]


def test_channels_do_not_share_a_line(line):
    rate.reserve(line, 1000, ahead=60 * SECOND)
    assert rate.reserve(line, 1).count == 0
    assert rate.reserve(ChannelFactory(), 1).count == 1


def test_slowing_down_holds_the_whole_line_back(line):
    rate.slow_down(line, 30 * SECOND)
    refused = rate.reserve(line, 10)
    assert refused.count == 0
    assert 20 < refused.delay <= 30


def test_a_person_who_can_wait_gets_a_slot_that_a_worker_does_not(line):
    rate.slow_down(line, SECOND)
    assert rate.reserve(line, 1).count == 0
    slots = rate.reserve(line, 1, ahead=2 * SECOND)
    assert [moment - time.monotonic() for moment in slots.times()] == [pytest.approx(1, abs=0.6)]


def test_slowing_down_never_speeds_up_and_never_lasts_more_than_five_minutes(line):
    rate.slow_down(line, dt.timedelta(days=3))
    rate.slow_down(line, SECOND)
    assert 290 < rate.reserve(line, 1).delay <= 300


def test_a_slot_far_ahead_by_somebodys_wrong_clock_does_not_block_the_line_for_long(line, settings):
    settings.REDIS_URL = ""
    Channel.objects.update(next_slot_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=400))
    assert 290 < rate.reserve(line, 1).delay <= 300


def test_without_redis_the_line_is_in_the_database(line, settings):
    rate.slow_down(line, 30 * SECOND)
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    assert 20 < rate.reserve(line, 1).delay <= 30


def test_the_address_of_redis_is_not_logged(line, settings, caplog):
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    assert rate.reserve(line, 1).count == 1
    assert "line_without_redis" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_workers_on_connections_of_their_own_share_one_limit(line, in_threads):
    moments = [moment for each in in_threads(lambda _n: drain(line, seconds=1.2), 4) for moment in each]
    assert most_in_a_second(moments) <= 75 * 1.3
    assert len(moments) >= 75 * 2.9


def test_slots_behind_which_others_were_reserved_are_not_given_twice(line):
    first = rate.reserve(line, 5)
    second = rate.reserve(line, 3)
    rate.give_back(line, first, 4)
    assert min(rate.reserve(line, 1).times()) > max(second.times())


def test_a_slow_down_outlives_a_restart_of_redis(line, settings):
    if not settings.REDIS_URL:
        pytest.skip("about Redis")
    rate.slow_down(line, 30 * SECOND)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    refused = rate.reserve(Channel.objects.get(pk=line.pk), 1)
    assert (refused.count, refused.delay) == (0, pytest.approx(30, abs=9))
