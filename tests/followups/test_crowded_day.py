"""Whoever schedules into a day that has all that the portfolio may send is told so, and not refused."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from followups.models import FollowUp
from tests import factories
from tests.conftest import signed_in
from tests.followups.test_schedule_views import HTMX, NOW, dialog_url, fields, friday_afternoon
from tests.html import html_of
from trochai.whatsapp.models import Channel

pytestmark = pytest.mark.django_db

__all__ = ["friday_afternoon"]

IN_A_WEEK = dt.datetime(2026, 11, 27, 15, 0, tzinfo=dt.UTC)  # 9:00 AM
WARNING = (
    "Fri 27 Nov: about 2 follow-ups already, of 2 people whom your WhatsApp portfolio may write to first"
)


def know_limit(channel, limit="TIER_2"):
    Channel.objects.filter(pk=channel.pk).update(messaging_limit=limit, messaging_limit_at=NOW)


def make(team, at=IN_A_WEEK, **given):
    given = {"conversation": team.conversation, "template": team.template, **given}
    return factories.FollowUpFactory(organization=team.organization, scheduled_for=at, **given)


def check(team, **changes) -> str:
    url = reverse("followups:check", args=[team.conversation.pk])
    return html_of(signed_in(team.agent).post(url, fields(team, **changes), headers=HTMX))


def test_it_is_said_while_the_date_is_being_chosen_and_refuses_nothing(team):
    know_limit(team.channel)
    for hours in (-9, 14):  # midnight, and 11 PM
        make(team, IN_A_WEEK + dt.timedelta(hours=hours))
    assert WARNING in check(team)
    answer = signed_in(team.agent).post(dialog_url(team), fields(team), headers=HTMX)
    assert answer.status_code == 204
    assert FollowUp.objects.filter(scheduled_for=IN_A_WEEK).exists()


def test_it_is_said_when_a_follow_up_is_edited_into_that_day(team):
    know_limit(team.channel)
    make(team)
    make(team)
    moved = make(team, IN_A_WEEK + dt.timedelta(days=3), created_by=team.agent.user)
    url = reverse("followups:check_edit", args=[moved.pk])
    assert WARNING in html_of(signed_in(team.agent).post(url, fields(team), headers=HTMX))


def test_another_day_and_a_day_with_room_say_nothing(team):
    know_limit(team.channel)
    make(team)
    for hours in (-10, 15):  # the days before and after
        make(team, IN_A_WEEK + dt.timedelta(hours=hours))
    assert "people whom your" not in check(team)


@pytest.mark.parametrize("limit", ["", "TIER_UNLIMITED", "TIER_3"])
def test_without_a_limit_that_is_reached_nothing_is_said(team, limit):
    know_limit(team.channel, limit)
    make(team)
    make(team)
    assert "people whom your" not in check(team)


def test_other_portfolios_and_other_organizations_take_no_room(team, stranger):
    know_limit(team.channel)
    know_limit(stranger.channel)
    make(team)
    make(stranger)
    other = factories.ChannelFactory(organization=team.organization)
    talk = factories.ConversationFactory(organization=team.organization, channel=other)
    make(team, conversation=talk, template=factories.TemplateFactory(channel=other))
    assert "people whom your" not in check(team)
    Channel.objects.filter(organization=team.organization).update(portfolio_id="880")
    assert WARNING in check(team)
