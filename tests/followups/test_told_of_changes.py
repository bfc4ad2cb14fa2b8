"""Whoever is in charge of a follow-up hears in the bell what a colleague does with it."""

from __future__ import annotations

import datetime as dt

import pytest

from followups import lifecycle
from followups.models import FollowUp
from notifications.models import Notification
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.test_editing import with_note
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
LATER = dt.datetime(2026, 12, 4, 16, 30, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def follow_up(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=NOW + dt.timedelta(days=7),
    )


def move(row, by):
    lifecycle.move(row, choice="custom", to=LATER, version=0, by=by, now=NOW)


def edit(row, by):
    lifecycle.edit(row, with_note(row, "They come by bus"), version=0, by=by, now=NOW)


def cancel(row, by):
    lifecycle.cancel(row, by=by, now=NOW)


@pytest.mark.parametrize(
    ("change", "title", "words"),
    [
        (move, "Follow-up moved", "moved to Fri 4 Dec, 10:30 AM by"),
        (edit, "Follow-up changed", "changed for Fri 27 Nov, 9:00 AM by"),
        (cancel, "Follow-up canceled", "canceled by"),
    ],
)
def test_an_admins_change_is_told_to_whoever_scheduled_it(team, follow_up, change, title, words):
    change(follow_up, team.admin)
    html = html_of(signed_in(team.agent).get("/notifications/"))
    assert title in html
    assert words in html
    assert team.admin.user.name in html
    assert not Notification.objects.exclude(recipient=team.agent.user).exists()


@pytest.mark.parametrize("change", [move, edit, cancel])
def test_nobody_is_told_of_what_they_have_done_themselves(team, follow_up, change):
    change(follow_up, team.agent)
    assert not Notification.objects.exists()


def test_of_what_somebody_left_behind_the_other_admins_are_told(team, follow_up):
    other = factories.MembershipFactory(organization=team.organization, role="admin")
    FollowUp.objects.update(created_by=None)
    follow_up.refresh_from_db()
    cancel(follow_up, team.admin)
    assert [each.recipient for each in Notification.objects.all()] == [other.user]
