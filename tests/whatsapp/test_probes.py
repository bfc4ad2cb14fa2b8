"""Stopped channels are looked at by themselves, against a server that answers as Meta does."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading

import pytest
from werkzeug import Response

from tests.factories import ChannelFactory
from trochai.whatsapp import channels, probes
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_needs_trial

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


class Numbers:
    """Meta's endpoint of a number; ``broken`` has the error code that each token meets."""

    def __init__(self, server):
        self.asked = []
        self.broken = {}
        self.lock = threading.Lock()
        number = re.compile(r"^/v[\d.]+/\d+$")
        server.expect_request(number, method="GET").respond_with_handler(self.answer)

    def answer(self, request):
        token = request.headers["Authorization"].removeprefix("Bearer ")
        with self.lock:
            self.asked.append(token)
        code = self.broken.get(token)
        if code:
            return Response(json.dumps({"error": {"message": "Refused", "code": code}}), 400)
        return Response(json.dumps({"id": "1", "verified_name": "Casa Verde"}), 200)


@pytest.fixture
def numbers(httpserver, settings):
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
    return Numbers(httpserver)


def stopped(code=190, *, at=NOW, **columns):
    channel = ChannelFactory(**columns)
    channels.stop(channel.pk, failure=Failure(code) or Failure(cause="not_connected"), now=at)
    return channel


def is_stopped(channel):
    return Channel.objects.get(pk=channel.pk).is_stopped


@pytest.mark.django_db
@pytest.mark.parametrize("code", [190, 0, 33])
def test_a_channel_whose_number_can_be_read_again_resumes_by_itself(numbers, code):
    channel = stopped(code)
    assert probes.probe_stopped(now=NOW + 5 * MINUTE) == 1
    assert not is_stopped(channel)


@pytest.mark.django_db
def test_a_channel_that_still_does_not_work_stays_stopped_and_is_asked_less_and_less(numbers):
    channel = stopped()
    numbers.broken["test-access-token"] = 190
    asked_at = []
    for minute in range(1, 200):
        before = len(numbers.asked)
        probes.probe_stopped(now=NOW + minute * MINUTE)
        asked_at += [minute] * (len(numbers.asked) - before)
    assert asked_at == [5, 10, 20, 40, 80, 140]
    assert is_stopped(channel)


@pytest.mark.django_db
def test_a_channel_without_a_token_resumes_once_it_can_be_read(numbers):
    """As after a restart with the right FIELD_ENCRYPTION_KEYS."""
    channel = stopped(None, access_token="")
    probes.probe_stopped(now=NOW + 5 * MINUTE)
    assert is_stopped(channel)
    Channel.objects.filter(pk=channel.pk).update(access_token="found-again")
    probes.probe_stopped(now=NOW + 10 * MINUTE)
    assert not is_stopped(channel)


@pytest.mark.django_db
@pytest.mark.parametrize("code", [10, 200, 368, 131005, 131031, 131042, 131045, 131048, 133010])
def test_that_a_number_can_be_read_does_not_prove_that_it_may_send(numbers, code):
    channel, needs_trial = stopped(code), []

    def note(channel, **_):
        needs_trial.append(channel.pk)

    channel_needs_trial.connect(note)
    try:
        probes.probe_stopped(now=NOW + 5 * MINUTE)
    finally:
        channel_needs_trial.disconnect(note)
    assert is_stopped(channel)
    assert numbers.asked == []
    assert needs_trial == [channel.pk]


@pytest.mark.django_db
def test_one_that_is_still_broken_does_not_keep_the_others_from_resuming(numbers):
    broken, working = stopped(access_token="broken"), stopped(access_token="working")
    numbers.broken["broken"] = 131000
    assert probes.probe_stopped(now=NOW + 5 * MINUTE) == 1
    assert (is_stopped(broken), is_stopped(working)) == (True, False)


@pytest.mark.django_db
def test_a_stop_during_the_probe_is_not_undone_by_it(numbers):
    """Between the question and the answer an admin resumed the channel, and something else stopped it."""
    channel = stopped()
    taken = probes._take_due(NOW + 5 * MINUTE)
    channels.resume(channel.pk)
    channels.stop(channel.pk, failure=Failure(131031), now=NOW + 6 * MINUTE)
    assert [probes._resume(one) for one in taken] == [False]
    assert is_stopped(channel)


@pytest.mark.django_db
def test_two_rounds_at_once_ask_once(numbers):
    stopped()
    numbers.broken["test-access-token"] = 190
    for _ in range(2):
        probes.probe_stopped(now=NOW + 5 * MINUTE)
    assert len(numbers.asked) == 1
