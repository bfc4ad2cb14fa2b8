"""One follow-up is let through on a stopped channel, to find out whether it works again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from tests import factories
from trochai.whatsapp import channels, probes
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel

BILLING = 131042


@pytest.fixture
def waiting(team):
    """Three follow-ups that are due on a channel that a billing problem stopped."""
    now = timezone.now()
    channels.stop(team.channel.pk, failure=Failure(BILLING), now=now)
    return [due(team, minutes=minutes) for minutes in (3, 2, 1)]


def due(team, *, minutes):
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=factories.ConversationFactory(organization=team.organization, channel=team.channel),
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=timezone.now() - dt.timedelta(minutes=minutes),
    )


def probe(*, minutes):
    probes.probe_stopped(now=timezone.now() + dt.timedelta(minutes=minutes))


def statuses(follow_ups):
    return [FollowUp.objects.get(pk=follow_up.pk).status for follow_up in follow_ups]


def test_the_rest_follows_once_the_one_that_was_tried_gets_through(team, waiting, meta):
    send_due_follow_ups(wake_others=False)
    assert meta.requests == [], "nothing is risked without a reason"
    probe(minutes=6)
    send_due_follow_ups(wake_others=False)
    assert statuses(waiting) == [Status.SENT] * 3
    assert not Channel.objects.get(pk=team.channel.pk).is_stopped


def test_only_one_is_risked_while_the_trouble_goes_on(team, waiting, meta):
    meta.answer(BILLING, BILLING, BILLING)
    for minutes in (6, 12, 18):
        probe(minutes=minutes)
        send_due_follow_ups(wake_others=False)
    assert len(meta.requests) == 1
    tried, *others = [FollowUp.objects.get(pk=follow_up.pk) for follow_up in waiting]
    assert (tried.status, tried.failures) == (Status.PENDING, 1)
    assert [(other.status, other.failures) for other in others] == [(Status.PENDING, 0)] * 2
    assert Channel.objects.get(pk=team.channel.pk).is_stopped


def test_one_that_is_too_late_to_be_sent_is_no_trial(team, waiting, meta):
    """It would fail as missed without a call, one after the other, and prove nothing."""
    FollowUp.objects.filter(pk=waiting[0].pk).update(next_attempt_at=timezone.now() - dt.timedelta(hours=5))
    probe(minutes=6)
    assert FollowUp.objects.get(pk=waiting[0].pk).failure_kind == ""
    assert FollowUp.objects.get(pk=waiting[1].pk).failure_kind == "channel"


def test_another_channels_follow_ups_are_no_trial(team, waiting, stranger):
    theirs = due(stranger, minutes=30)
    probe(minutes=6)
    assert FollowUp.objects.get(pk=theirs.pk).failure_kind == ""
