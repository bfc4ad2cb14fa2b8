from __future__ import annotations

import datetime as dt

import pytest

from trochai.whatsapp import channels
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_stopped

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def told():
    """The reasons for which channels were said to have stopped."""
    reasons = []

    def tell(channel, reason, **_):
        reasons.append((channel.pk, channel.is_stopped, reason))

    channel_stopped.connect(tell)
    yield reasons
    channel_stopped.disconnect(tell)


def stop(channel, reason="Token expired."):
    return channels.stop(channel.pk, code=190, reason=reason, now=NOW)


def test_a_channel_is_stopped_once_and_its_people_are_told_once(channel, told):
    assert [stop(channel), stop(channel, "Something else.")] == [True, False]
    channel.refresh_from_db()
    assert (channel.stopped_at, channel.stop_code, channel.stop_reason) == (NOW, 190, "Token expired.")
    assert told == [(channel.pk, True, "Token expired.")]


def test_a_resumed_channel_can_stop_again(channel, told):
    stop(channel)
    assert [channels.resume(channel.pk), channels.resume(channel.pk)] == [True, False]
    channel.refresh_from_db()
    assert (channel.is_stopped, channel.stop_code, channel.stop_reason) == (False, None, "")
    assert stop(channel)
    assert len(told) == 2


def test_an_error_of_a_token_that_was_replaced_meanwhile_stops_nothing(channel, told):
    """The call began before an admin saved the new token, and its answer came after."""
    call = {"code": 190, "reason": "Token expired.", "now": NOW, "token": channel.access_token}
    Channel.objects.filter(pk=channel.pk).update(access_token="a-new-token")
    assert not channels.stop(channel.pk, **call)
    assert told == []
    assert channels.stop(channel.pk, **{**call, "token": "a-new-token"})


def test_what_was_found_out_about_one_stop_does_not_end_the_next(channel):
    stop(channel)
    channels.resume(channel.pk)
    later = NOW + dt.timedelta(minutes=1)
    channels.stop(channel.pk, code=131031, reason="Locked.", now=later)
    assert not channels.resume(channel.pk, stopped_at=NOW)
    assert channels.resume(channel.pk, stopped_at=later)


@pytest.mark.parametrize("reason", ["", "x" * 900])
def test_any_reason_fits(channel, reason):
    assert stop(channel, reason)
    assert 0 < len(Channel.objects.get(pk=channel.pk).stop_reason) <= 300


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_stop_it_at_once_only_one_does(in_threads):
    from tests.factories import ChannelFactory

    channel = ChannelFactory()
    assert sorted(in_threads(lambda number: stop(channel), 5)) == [False] * 4 + [True]
