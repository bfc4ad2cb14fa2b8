from __future__ import annotations

import datetime as dt

import pytest

from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_stopped

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def told():
    """The channels of which was said that they have stopped."""
    heard = []

    def tell(channel, **_):
        heard.append((channel.pk, channel.is_stopped))

    channel_stopped.connect(tell)
    yield heard
    channel_stopped.disconnect(tell)


def stop(channel, code=190):
    return channels.stop(channel.pk, failure=Failure(code), now=NOW)


def test_a_channel_is_stopped_once_and_its_people_are_told_once(channel, told):
    assert [stop(channel), stop(channel, 131031)] == [True, False]
    channel.refresh_from_db()
    assert (channel.stopped_at, channel.stop_code) == (NOW, 190)
    assert "access token is not valid any more" in channel.stop_reason
    assert told == [(channel.pk, True)]


def test_a_resumed_channel_can_stop_again(channel, told):
    stop(channel)
    assert [channels.resume(channel.pk), channels.resume(channel.pk)] == [True, False]
    channel.refresh_from_db()
    assert (channel.is_stopped, channel.stop_code, channel.stop_reason) == (False, None, "")
    assert stop(channel)
    assert len(told) == 2


def test_an_error_of_a_token_that_was_replaced_meanwhile_stops_nothing(channel, told):
    """The call began before an admin saved the new token, and its answer came after."""
    call = {"failure": Failure(190), "now": NOW, "token": channel.access_token}
    Channel.objects.filter(pk=channel.pk).update(access_token="a-new-token")
    assert not channels.stop(channel.pk, **call)
    assert told == []
    assert channels.stop(channel.pk, **{**call, "token": "a-new-token"})


def test_what_was_found_out_about_one_stop_does_not_end_the_next(channel):
    stop(channel)
    channels.resume(channel.pk)
    later = NOW + dt.timedelta(minutes=1)
    channels.stop(channel.pk, failure=Failure(131031), now=later)
    assert not channels.resume(channel.pk, stopped_at=NOW)
    assert channels.resume(channel.pk, stopped_at=later)


@pytest.mark.parametrize("details", ["", "x" * 900])
def test_any_reason_fits(channel, details):
    assert channels.stop(channel.pk, failure=Failure.reported(777, details), now=NOW)
    assert 0 < len(Channel.objects.get(pk=channel.pk).stop_reason) <= 320


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_stop_it_at_once_only_one_does(in_threads):
    from tests.factories import ChannelFactory

    channel = ChannelFactory()
    assert sorted(in_threads(lambda number: stop(channel), 5)) == [False] * 4 + [True]
