"""Quiet hours as a rule: what falls due in them waits until they end where the contact is."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from conversations.models import Contact
from followups import lifecycle
from followups.models import FollowUp, Status
from followups.scheduling import earliest
from followups.wanted import CUSTOM
from tests.conftest import Team, signed_in
from tests.followups.engine import refreshed, tick
from tests.html import html_of
from trochai.accounts.models import SendingHours

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


def zone_where_it_is(hour: int) -> str:
    """Workers go by the database's clock, so the contact lives where it is that late now."""
    ahead = (hour - timezone.now().hour) % 24
    # Their names count westwards.
    return f"Etc/GMT{-(ahead if ahead <= 14 else ahead - 24):+d}"


NIGHT, NOON = zone_where_it_is(3), zone_where_it_is(12)


@pytest.fixture(autouse=True)
def rule(team: Team) -> None:
    """Every day from 8 to 8."""
    team.organization.quiet_hours_are_a_rule = True
    team.organization.save()
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
        for day in range(1, 8)
    )


@pytest.fixture
def at_night(due, team: Team):
    """Return a function that makes a follow-up which falls due at 3 AM where its contact is."""

    def make(**fields) -> FollowUp:
        follow_up = due(**fields)
        Contact.objects.filter(pk=follow_up.conversation.contact_id).update(timezone=NIGHT)
        return follow_up

    return make


def morning() -> dt.datetime:
    local = timezone.now().astimezone(ZoneInfo(NIGHT))
    return local.replace(hour=8, minute=0, second=0, microsecond=0).astimezone(dt.UTC)


def test_what_falls_due_at_night_waits_until_morning_there(meta, at_night):
    follow_up = at_night()
    tick()
    row = refreshed(follow_up)
    assert meta.requests == []
    assert (row.status, row.next_attempt_at, row.failures) == (Status.PENDING, morning(), 0)
    assert row.scheduled_for == follow_up.scheduled_for
    # Nor is it taken again by the next tick.
    tick()
    assert refreshed(follow_up).next_attempt_at == morning()


def test_its_row_says_until_when_and_where(meta, at_night, team):
    at_night()
    tick()
    place = NIGHT.rpartition("/")[2]
    html = html_of(signed_in(team.agent).get("/followups/?status=pending"))
    assert f"Waits until 8:00 AM in {place}" in html


def test_in_the_morning_it_goes_out_and_has_not_been_missed(meta, at_night, team):
    team.organization.missed_after_minutes = 10
    team.organization.save()
    follow_up = at_night()
    tick()
    FollowUp.objects.update(
        next_attempt_at=timezone.now(), scheduled_for=timezone.now() - dt.timedelta(hours=5)
    )
    Contact.objects.update(timezone=NOON)
    tick()
    row = refreshed(follow_up)
    assert (row.status, row.quiet_in) == (Status.SENT, "")


@pytest.mark.parametrize("kept", [True, False])
def test_where_it_is_day_or_no_rule_it_goes_out_in_time(meta, at_night, team, kept):
    if kept:
        Contact.objects.update(timezone=NOON)
        follow_up = at_night()
        Contact.objects.update(timezone=NOON)
    else:
        team.organization.quiet_hours_are_a_rule = False
        team.organization.save()
        follow_up = at_night()
    tick()
    assert refreshed(follow_up).status == Status.SENT


def test_where_no_moment_is_ever_good_it_goes_out_in_time(meta, at_night):
    """Half an hour that is noon from Guam to Newfoundland at once: nothing waits for it for ever."""
    SendingHours.objects.update(begin=dt.time(12), end=dt.time(12, 30))
    follow_up = at_night()
    contact = Contact.objects.filter(pk=follow_up.conversation.contact_id)
    contact.update(timezone="", phone="+18005550100")
    tick()
    assert refreshed(follow_up).status == Status.SENT


def test_an_automatic_retry_waits_too(meta, at_night):
    follow_up = at_night(failures=1, failure_kind="temporary", failure_code=130429)
    tick()
    row = refreshed(follow_up)
    assert (meta.requests, row.failures, row.next_attempt_at) == ([], 1, morning())


def test_what_a_person_sends_or_retries_now_does_not_wait(meta, at_night, due, team):
    waiting, failed = at_night(minutes=-60), at_night(status="failed")
    client = signed_in(team.agent)
    client.post(f"/followups/{waiting.pk}/send-now/", {"version": 0}, headers=HTMX)
    client.post(f"/followups/{failed.pk}/retry/", headers=HTMX)
    FollowUp.objects.filter(pk=failed.pk).update(next_attempt_at=timezone.now())
    tick()
    assert {refreshed(row).status for row in (waiting, failed)} == {Status.SENT}


def test_its_automatic_retries_wait_again(meta, at_night, team):
    follow_up = at_night(minutes=-60)
    meta.answer(130429)
    signed_in(team.agent).post(f"/followups/{follow_up.pk}/send-now/", {"version": 0}, headers=HTMX)
    tick()
    assert refreshed(follow_up).failures == 1
    FollowUp.objects.update(next_attempt_at=timezone.now())
    tick()
    assert refreshed(follow_up).next_attempt_at == morning()


def test_another_date_ends_the_wait_and_what_somebody_decided_for_the_one_before(meta, at_night, team):
    follow_up = at_night()
    tick()
    FollowUp.objects.update(at_any_hour=True)
    now = timezone.now()
    to = earliest(now, team.organization)
    moved = lifecycle.move(refreshed(follow_up), choice=CUSTOM, to=to, version=0, by=team.agent, now=now)
    assert (moved.next_attempt_at, moved.quiet_in, moved.at_any_hour) == (to, "", False)


@pytest.mark.parametrize("way", ["with many others", "by a release"])
def test_moved_in_other_ways_it_does_not_wait_for_that_morning_either(meta, at_night, team, way):
    at_night()
    tick()
    rows, to = list(FollowUp.objects.all()), timezone.now() + dt.timedelta(days=6)
    if way == "with many others":
        lifecycle.move_all(dict.fromkeys(rows, to), by=team.admin.user, now=timezone.now())
    else:
        lifecycle.move_late(FollowUp.objects.all(), to=to, by=team.admin.user, now=timezone.now())
    moved = FollowUp.objects.get()
    assert (moved.next_attempt_at, moved.quiet_in) == (to, "")


def test_the_dialog_says_that_it_would_wait(team):
    Contact.objects.update(timezone="Europe/Madrid")
    path = f"/followups/schedule/{team.conversation.pk}/check/"
    soon = earliest(timezone.now(), team.organization).astimezone(team.organization.zone)
    day = f"{soon + dt.timedelta(days=2):%Y-%m-%d}"
    data = {"when": "custom", "date": day, "time": "20:00"}
    html = html_of(signed_in(team.agent).post(path, data, headers=HTMX))
    assert "It would wait until 8:00 AM there." in html


def test_a_burst_at_night_costs_no_query_a_row_to_find_out(meta, at_night, django_assert_max_num_queries):
    """The rule is read once for all rows of a claim; each row then costs its own update."""
    for _each in range(20):
        at_night()
    with django_assert_max_num_queries(55):
        tick()
    assert meta.requests == []
    assert FollowUp.objects.filter(next_attempt_at=morning()).count() == 20
