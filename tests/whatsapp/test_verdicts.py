from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from trochai.whatsapp import channels, verdicts
from trochai.whatsapp.cloud_api.client import Accepted
from trochai.whatsapp.cloud_api.errors import ChannelError, OutcomeUnknown, PermanentError, TemporaryError
from trochai.whatsapp.cloud_api.failures import Cause, Failure

EXPIRED = ChannelError(190)
BUSY = TemporaryError(130429, slow_down=dt.timedelta(seconds=30))


def heed(channel, *answers):
    halted = verdicts.heed(channel, *answers, token=channel.access_token)
    channel.refresh_from_db()
    return halted


@pytest.mark.parametrize(
    "answer",
    [
        Accepted("wamid.A"),
        TemporaryError(cause=Cause.BUSY),
        PermanentError(131026),
        OutcomeUnknown(cause=Cause.NO_ANSWER),
    ],
)
def test_an_answer_about_one_message_leaves_its_channel_as_it_is(channel, answer):
    assert not heed(channel, answer)
    assert (channel.is_stopped, channel.next_slot_at) == (False, None)
    assert not verdicts.concerns_channel(answer)


def test_the_worst_of_several_answers_counts(channel):
    assert heed(channel, Accepted("wamid.A"), EXPIRED, BUSY)
    assert (channel.is_stopped, channel.stop_code) == (True, 190)


def test_a_channel_that_is_too_fast_waits_as_long_as_the_longest_of_the_answers_says(channel):
    short = Accepted("wamid.A", slow_down=dt.timedelta(seconds=5))
    began = timezone.now()
    assert heed(channel, BUSY, short)
    assert channel.next_slot_at >= began + dt.timedelta(seconds=30)
    assert not channel.is_stopped


def test_a_message_that_meta_takes_ends_the_stop_but_not_beside_one_that_meets_it_again(channel):
    channels.stop(channel.pk, failure=Failure(131042), now=timezone.now())
    channel.refresh_from_db()
    heed(channel, Accepted("wamid.A"), EXPIRED)
    assert channel.is_stopped
    assert not heed(channel, Accepted("wamid.B"))
    assert not channel.is_stopped
