"""The weeks ahead: a sheet of days, a week of hours and a day, with states and the portfolio's limit."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from followups.calendar import counting, kept
from followups.models import CalendarCounts
from followups.pages import calendar, calendar_views
from tests import factories
from tests.conftest import make_team, signed_in
from tests.html import html_of
from trochai import changes
from trochai.accounts.models import DayOff, SendingHours
from trochai.whatsapp.models import Channel

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
MONTH, WEEK, DAY = "/followups/calendar/", "/followups/calendar/week/", "/followups/calendar/2026-12-1/"
# Session, member, frame (4), channels, whether they are few, counts, days off; and of week and day the hours
# in which nothing is quiet, of a day its rows (4).
QUERIES = {MONTH: 11, WEEK: 12, DAY: 16}
TUESDAY = dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)  # 9:00 AM


@pytest.fixture(autouse=True)
def _friday(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list:
    """Whom the calendar has woken; no broker runs here."""
    calls: list = []
    monkeypatch.setattr(calendar_views.waker, "wake", lambda task, *given: calls.append((task.name, given)))
    return calls


@pytest.fixture
def tell(django_capture_on_commit_callbacks):
    """Say that follow-ups of a team have changed, as whoever writes one does."""

    def tell(team) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            changes.changed([team.organization.pk])

    return tell


def make(team, at=TUESDAY, count=1, **given):
    given = {"conversation": team.conversation, "template": team.template, **given}
    return [
        factories.FollowUpFactory(
            organization=team.organization, created_by=team.agent.user, scheduled_for=at, **given
        )
        for _number in range(count)
    ]


def know_limit(channel, limit="TIER_250", at=NOW):
    Channel.objects.filter(pk=channel.pk).update(messaging_limit=limit, messaging_limit_at=at)


def page(member, path=MONTH, **headers) -> str:
    answer = signed_in(member).get(path, headers=headers)
    assert answer.status_code == 200
    return html_of(answer)


def label_of(html: str, day: str) -> str:
    return re.search(rf'<span class="sr-only">({day}[^<]*)</span>', html)[1]


# The sheet ---------------------------------------------------------------------------------------------


def test_each_day_says_how_many_it_has_in_each_state(team):
    make(team, count=3)
    make(team, status="failed")
    make(team, status="canceled", count=2)
    make(team, at=NOW - dt.timedelta(days=2), status="sent")
    html = page(team.agent)
    assert label_of(html, "Tuesday 1 December") == "Tuesday 1 December: 3 pending, 1 failed, 2 canceled"
    assert label_of(html, "Wednesday 18 November") == "Wednesday 18 November: 1 sent"


def test_the_sheet_runs_from_this_weeks_monday_to_the_last_day_of_the_window(team):
    html = page(team.agent)
    days = re.findall(r'id="day-([0-9-]+)"', html)
    assert (days[0], days[-1]) == ("2026-11-16", "2027-02-18")
    assert "The next 90 days" in html
    assert "Nothing is scheduled yet" in html


def test_a_follow_up_that_is_being_sent_is_still_pending_and_a_deleted_one_is_gone(team):
    make(team, status="processing")
    make(team, status="canceled", deleted_at=NOW)
    assert label_of(page(team.agent), "Tuesday 1 December") == "Tuesday 1 December: 1 pending"


def test_a_day_is_one_of_the_organizations_clock(team):
    make(team, at=dt.datetime(2026, 12, 2, 5, 59, tzinfo=dt.UTC))  # 11:59 PM the day before
    make(team, at=dt.datetime(2026, 12, 2, 6, 0, tzinfo=dt.UTC))
    html = page(team.agent)
    assert label_of(html, "Tuesday 1 December").endswith("1 pending")
    assert label_of(html, "Wednesday 2 December").endswith("1 pending")


@pytest.mark.parametrize(
    ("zone", "moments", "counts"),
    [
        # The clock goes back at 2:00 on 1 November 2026: 1:30 happens twice, and the day has 25 hours.
        ("America/New_York", ["2026-11-01T05:30", "2026-11-01T06:30"], {(1, 1): 2}),
        # It goes forward at 2:00 on 14 March 2027: after 1:59 comes 3:00.
        ("America/New_York", ["2027-03-14T06:59", "2027-03-14T07:00"], {(14, 1): 1, (14, 3): 1}),
        # Forward at midnight: the day begins at 1:00.
        ("Asia/Beirut", ["2027-03-27T21:59", "2027-03-27T22:00"], {(27, 23): 1, (28, 1): 1}),
        # Not a whole hour from UTC.
        ("Asia/Kathmandu", ["2026-12-01T18:14", "2026-12-01T18:15"], {(1, 23): 1, (2, 0): 1}),
    ],
)
def test_hours_are_those_of_the_clock_on_days_of_23_and_25_of_them_too(zone, moments, counts, time_machine):
    team = make_team(timezone=zone)
    moments = [dt.datetime.fromisoformat(f"{moment}+00:00") for moment in moments]
    time_machine.move_to(moments[0] - dt.timedelta(days=10), tick=False)
    for moment in moments:
        make(team, at=moment)
    span = counting.sheet(team.organization, moments[0] - dt.timedelta(days=10))
    hours = counting.by_hour(counting.tally(team.organization, [team.channel], span))
    assert {(hour.day, hour.hour): found.pending for hour, found in hours.items()} == counts
    day = moments[0].astimezone(team.organization.zone).date()
    html = page(team.agent, reverse("followups:calendar_day", args=[day.year, day.month, day.day]))
    shown = sum(count for (number, _hour), count in counts.items() if number == day.day)
    assert html.count("/followups/") - html.count("/followups/calendar") > shown
    assert len(re.findall(r'href="/followups/\d+/"', html)) == shown


def test_another_organizations_follow_ups_are_on_nobody_elses_sheet(team, stranger):
    make(stranger, count=2)
    assert "Nothing is scheduled yet" in page(team.admin)
    assert "Nothing is scheduled for this day" in page(team.admin, DAY)


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
@pytest.mark.parametrize("path", [MONTH, WEEK, DAY])
def test_every_member_may_look(team, role, path):
    make(team)
    html = page(team.member(role), path)
    assert ("New follow-up" in html) == (role != "viewer" and path != DAY)


@pytest.mark.parametrize(
    "path",
    [
        "/followups/calendar/2026-02-31/",
        "/followups/calendar/0-0-0/",
        "/followups/calendar/99999999999999999999-1-1/",
        "/followups/calendar/2026-11-15/",
        "/followups/calendar/2028-01-01/",
    ],
)
def test_a_day_that_is_not_on_the_sheet_is_not_found(team, path):
    assert signed_in(team.admin).get(path).status_code == 404


@pytest.mark.parametrize("on", ["", "nonsense", "2026-02-31", "1999-01-01", "9999-12-31", "\0"])
def test_a_week_that_makes_no_sense_is_this_week(team, on):
    answer = signed_in(team.admin).get(WEEK, {"on": on})
    assert "16 Nov – 22 Nov 2026" in html_of(answer)


# The limit ---------------------------------------------------------------------------------------------


def test_a_day_over_the_limit_says_by_how_much(team):
    know_limit(team.channel, "TIER_2")
    make(team, count=3)
    assert "3 of 2" in label_of(page(team.agent), "Tuesday 1 December")
    html = page(team.agent, f"{WEEK}?on=2026-12-01")
    assert "About 1 more than the 2 people a day" in html
    assert "slot--over" in html
    assert "3 of 2" in page(team.agent, DAY)


@pytest.mark.parametrize("limit", ["", "TIER_UNLIMITED"])
def test_without_a_limit_nothing_is_claimed(team, limit):
    know_limit(team.channel, limit)
    make(team, count=3)
    for path in (MONTH, f"{WEEK}?on=2026-12-01", DAY):
        html = page(team.agent, path)
        assert 'class="load' not in html
        assert "Dashed" not in html


def test_each_portfolio_has_its_own_limit(team):
    other = factories.ChannelFactory(organization=team.organization)
    know_limit(team.channel, "TIER_2")
    know_limit(other, "TIER_3")
    make(team, count=2)
    talk = factories.ConversationFactory(organization=team.organization, channel=other)
    make(team, count=2, conversation=talk, template=factories.TemplateFactory(channel=other))
    assert label_of(page(team.agent), "Tuesday 1 December") == "Tuesday 1 December: 4 pending"
    make(team)
    assert label_of(page(team.agent), "Tuesday 1 December").endswith("3 of 2")


def test_the_numbers_of_one_portfolio_share_its_limit(team):
    other = factories.ChannelFactory(organization=team.organization)
    Channel.objects.filter(organization=team.organization).update(portfolio_id="880")
    know_limit(other, "TIER_3")
    make(team, count=2)
    talk = factories.ConversationFactory(organization=team.organization, channel=other)
    make(team, count=2, conversation=talk, template=factories.TemplateFactory(channel=other))
    assert label_of(page(team.agent), "Tuesday 1 December").endswith("4 of 3")


def test_what_is_held_takes_nothing_of_the_limit(team):
    know_limit(team.channel, "TIER_2")
    make(team, count=3, held_reason="contact")
    assert label_of(page(team.agent), "Tuesday 1 December") == "Tuesday 1 December: 3 pending"


def test_what_has_been_sent_today_counts(team):
    know_limit(team.channel, "TIER_2")
    make(team, at=NOW - dt.timedelta(hours=1), status="sent", count=2)
    make(team, at=NOW + dt.timedelta(hours=1))
    assert label_of(page(team.agent), "Friday 20 November").endswith("3 of 2")


# Week and day ------------------------------------------------------------------------------------------


def test_an_hour_says_how_many_and_how_long_it_takes_at_the_numbers_rate(team):
    Channel.objects.update(messages_per_second=1)
    make(team, count=3)
    html = page(team.agent, f"{WEEK}?on=2026-12-01")
    assert label_of(html, "Tue 1 Dec, 9:00 AM") == "Tue 1 Dec, 9:00 AM: 3 pending, takes 3 s"


@pytest.mark.parametrize("few", [5, 4], ids=["few", "many"])
def test_a_day_has_the_first_three_of_each_hour_and_a_link_to_all_of_them(team, monkeypatch, few):
    monkeypatch.setattr(calendar, "LOOKED_THROUGH", few)
    make(team, count=4)
    make(team, at=TUESDAY + dt.timedelta(days=1))
    make(team, at=TUESDAY + dt.timedelta(hours=3, minutes=30))
    html = page(team.agent, DAY)
    assert len(re.findall(r'href="/followups/\d+/"', html)) == 4
    later = re.findall(r'href="(/followups/\?[^"]*)"', html)
    assert len(later) == 3
    listed = page(team.agent, later[1].replace("&amp;", "&"))
    assert len(re.findall(r'id="followup-\d+"', listed)) == 1
    assert "12:30 PM" in listed


def test_a_day_is_a_drawer_for_an_open_page(team):
    make(team)
    assert "<dialog" in page(team.agent, DAY, **{"HX-Request": "true"})
    assert "<dialog" not in page(team.agent, DAY)


# Quiet hours and days off -------------------------------------------------------------------------------


def send_within(team, begin=dt.time(8), end=dt.time(20), weekdays=range(1, 7)):
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=begin, end=end) for day in weekdays
    )


def hatched(html: str) -> dict[str, int]:
    """Return how many days are hatched at each hour of the week."""
    rows = re.findall(r'<th scope="row"[^>]*>([^<]+)</th>(.*?)</tr>', html, re.DOTALL)
    return {name: cells.count('class="quiet"') for name, cells in rows}


def test_the_week_shows_which_hours_are_quiet_by_the_organizations_clock(team):
    send_within(team)
    html = page(team.agent, f"{WEEK}?on=2026-12-01")
    found = hatched(html)
    assert (found["7:00 AM"], found["8:00 AM"], found["7:00 PM"], found["8:00 PM"]) == (7, 1, 1, 7)
    assert label_of(html, "Sunday 6 December") == "Sunday 6 December: nothing, quiet all day"
    assert "Quiet hours stand here by the clock in America/Costa_Rica" in html


def test_what_is_due_in_quiet_hours_is_marked_and_says_so(team):
    send_within(team)
    for hours in (-2, 0, 11):
        make(team, at=TUESDAY + dt.timedelta(hours=hours))
    make(team, at=TUESDAY - dt.timedelta(days=15, hours=2), status="sent")
    html = page(team.agent, f"{WEEK}?on=2026-12-01")
    assert label_of(html, "Tue 1 Dec, 7:00 AM").endswith(", in quiet hours")
    assert "quiet" not in label_of(html, "Tue 1 Dec, 9:00 AM")
    # What is due at eight on the dot still goes out.
    assert label_of(html, "Tue 1 Dec, 8:00 PM").endswith(", partly in quiet hours")
    assert html.count("slot--quiet") == 1
    assert "slot--quiet" not in page(team.agent, WEEK)
    assert "1 pending · 1 s · in quiet hours" in page(team.agent, DAY)


def test_an_hour_is_quiet_if_most_of_it_is(team):
    send_within(team, begin=dt.time(8, 30), end=dt.time(17, 15))
    found = hatched(page(team.agent, f"{WEEK}?on=2026-12-01"))
    assert (found["8:00 AM"], found["4:00 PM"], found["5:00 PM"]) == (1, 1, 7)


def test_without_rules_nothing_is_quiet(team):
    make(team, at=TUESDAY - dt.timedelta(hours=8))
    html = page(team.agent, f"{WEEK}?on=2026-12-01")
    assert set(hatched(html).values()) == {0}
    assert "uiet hours" not in html


@pytest.mark.parametrize("path", [MONTH, f"{WEEK}?on=2026-12-01", DAY])
def test_days_off_are_called_by_their_names(team, path):
    DayOff.objects.create(organization=team.organization, date="2026-12-01", name="<b>Moving</b> day")
    html = page(team.agent, path)
    assert "&lt;b&gt;Moving&lt;/b&gt; day" in html
    assert "<b>Moving" not in html
    if path != DAY:
        assert label_of(html, "Tuesday 1 December").startswith("Tuesday 1 December, &lt;b&gt;Moving")


def test_public_holidays_have_their_names_and_a_nameless_day_off_is_one_too(team):
    team.organization.keeps_holidays = True
    team.organization.save()
    DayOff.objects.create(organization=team.organization, date="2026-12-02")
    DayOff.objects.create(organization=team.organization, date="2027-01-01", is_quiet=False)
    html = page(team.agent)
    assert label_of(html, "Friday 25 December") == "Friday 25 December, Christmas Day: nothing"
    assert label_of(html, "Wednesday 2 December") == "Wednesday 2 December, Day off: nothing"
    holiday = "Friday 1 January, New Year&#x27;s Day, a working day here: nothing"
    assert label_of(html, "Friday 1 January").replace("&#39;", "&#x27;") == holiday


def test_a_holiday_on_which_people_work_is_not_hatched(team):
    team.organization.keeps_holidays = True
    team.organization.save()
    DayOff.objects.create(organization=team.organization, date="2026-12-25", is_quiet=False)
    html = page(team.agent, f"{WEEK}?on=2026-12-25")
    assert "Christmas Day, a working day here" in html
    assert set(hatched(html).values()) == {0}
    assert "uiet hours" not in html


def test_another_organizations_days_off_are_not_shown(team, stranger):
    DayOff.objects.create(organization=stranger.organization, date="2026-12-01", name="Moving day")
    assert "Moving day" not in page(team.agent)


# An open page -------------------------------------------------------------------------------------------


def ask(member, html, path=MONTH):
    shown = dict(re.findall(r'name="(v|seen)" value="([^"]*)"', html))
    return signed_in(member).get(path, shown, headers={"HX-Request": "true"})


@pytest.mark.parametrize("path", [MONTH, WEEK])
def test_an_open_page_hears_nothing_while_nothing_changes_and_then_what_it_is(team, path, tell):
    make(team)
    html = page(team.agent, path)
    assert ask(team.agent, html, path).status_code == 204
    tell(team)
    unchanged = ask(team.agent, html, path)
    assert unchanged["HX-Reswap"] == "none"
    assert "hx-swap-oob" in html_of(unchanged)
    make(team, at=NOW + dt.timedelta(hours=5))
    tell(team)
    assert "1 pending" in html_of(ask(team.agent, html, path))


@pytest.mark.parametrize("path", [MONTH, WEEK, DAY])
def test_it_asks_the_database_as_often_however_many_there_are(team, path, django_assert_num_queries):
    client = signed_in(team.agent)
    make(team)
    client.get(path)
    with CaptureQueriesContext(connection) as before:
        client.get(path)
    for hour in range(12):
        make(team, at=TUESDAY + dt.timedelta(hours=hour - 8), count=4)
    with django_assert_num_queries(len(before)):
        client.get(path)
    assert len(before) <= (QUERIES[path])


# Many ---------------------------------------------------------------------------------------------------


@pytest.fixture
def many(monkeypatch) -> None:
    monkeypatch.setattr(counting, "FEW", 2)


def test_what_is_too_much_to_count_at_a_look_is_counted_by_a_task(team, many, woken):
    make(team, count=3)
    assert "The days are being counted" in page(team.agent)
    assert woken == [("followups.tasks.count_calendar", (team.organization.pk,))]
    kept.count_again(team.organization, now=NOW)
    assert label_of(page(team.agent), "Tuesday 1 December") == "Tuesday 1 December: 3 pending"
    assert len(woken) == 1


def test_a_change_has_it_counted_again_and_meanwhile_the_page_says_as_of_when(
    team, many, woken, time_machine, tell
):
    make(team, count=3)
    kept.count_again(team.organization, now=NOW)
    make(team)
    tell(team)
    time_machine.move_to(NOW + dt.timedelta(seconds=30), tick=False)
    html = page(team.agent)
    assert label_of(html, "Tuesday 1 December") == "Tuesday 1 December: 3 pending"
    assert "it is being counted again" in html
    assert woken
    CalendarCounts.objects.update(next_at=None)
    kept.count_again(team.organization, now=NOW)
    assert label_of(page(team.agent), "Tuesday 1 December") == "Tuesday 1 December: 4 pending"


def test_nobody_counts_while_somebody_does_and_one_of_those_who_ask_comes_back(team, many):
    now = NOW
    assert kept.count_again(team.organization, now=now) is None
    waits = [kept.count_again(team.organization, now=now) for _each in range(3)]
    assert waits[0] is not None
    assert waits[0] >= kept.PAUSE
    assert waits[1:] == [None, None]
    assert kept.count_again(team.organization, now=now + waits[0]) is None
    assert CalendarCounts.objects.get().next_at > now + waits[0]


def test_counts_of_another_zone_or_week_are_not_shown(team, many):
    make(team, count=3)
    kept.count_again(team.organization, now=NOW)
    team.organization.timezone = "Asia/Tokyo"
    team.organization.save()
    assert "The days are being counted" in page(team.agent)
