"""Repeat in the schedule dialog: what is offered, shown before it counts, and refused."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest

from followups.models import FollowUp, Series
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def filled(team: Team, **changes: Any) -> dict[str, Any]:
    data = {
        "submission": uuid.uuid4(),
        "template": team.template.pk,
        "p-body-1": "María",
        "p-body-2": "Casa EC-204",
        "p-body-3": "sábado 28",
        "when": "custom",
        "date": "2026-12-03",
        "time": "20:00",
        "repeat": "on",
        "repeat_kind": "monthly_weekday",
        "repeat_ends": "count",
        "repeat_count": "6",
        "repeat_until": "",
        **changes,
    }
    return {name: value for name, value in data.items() if value is not False}


def post(team: Team, *, check: bool = False, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    path = f"/followups/schedule/{team.conversation.pk}/{'check/' if check else ''}"
    return signed_in(team.agent).post(path, filled(team, **changes), headers=headers)


def test_what_is_ticked_begins_a_series(team):
    assert post(team).status_code == 302
    series, row = Series.objects.get(), FollowUp.objects.get()
    assert (row.series, row.occurrence) == (series, 1)
    assert (series.kind, series.count, series.until) == ("monthly_weekday", 6, None)
    assert (series.first_on, series.time) == (dt.date(2026, 12, 3), dt.time(20))
    assert (series.ends_on_failure, series.ends_on_reply) == (False, False)


def test_without_the_tick_the_rest_of_it_does_not_matter(team):
    answer = post(team, repeat=False, repeat_kind="hourly", repeat_count="x", repeat_ends="count")
    assert answer.status_code == 302
    assert not Series.objects.exists()


def test_the_next_three_dates_show_before_it_is_scheduled(team):
    answer = html_of(post(team, check=True, headers=HTMX))
    dates = re.findall(r"<li><time[^>]*>([^<]*)</time></li>", answer)
    assert dates == ["Thu 3 Dec", "Thu 7 Jan 2027", "Thu 4 Feb 2027"]
    assert "<small>Every month on the first Thursday, 6 times in all</small>" in answer
    kinds = re.findall(r'<option value="(\w+)"', answer)
    assert kinds == ["weekly", "monthly", "monthly_weekday", "quarterly", "yearly"]


def test_a_choice_within_repeat_does_not_swap_the_list_that_it_was_made_in(team):
    answer = html_of(post(team, check=True, headers=HTMX, repeat_from="2026-12-03"))
    assert "schedule-repeat-dates" in answer
    assert "<select" not in answer


def test_a_day_that_some_months_do_not_have_is_explained(team):
    answer = html_of(post(team, check=True, headers=HTMX, date="2026-12-31", repeat_kind="monthly"))
    assert "In a month without that day it is the last one." in answer


def test_a_step_shorter_than_the_window_is_neither_offered_nor_taken(team):
    team.organization.min_days = 8
    team.organization.save()
    assert "weekly" not in post(team, check=True, headers=HTMX).text
    answer = post(team, repeat_kind="weekly")
    assert answer.status_code == 422
    assert "It can’t be repeated like that from this date on." in answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repeat_count": ""}, "Enter how many times"),
        ({"repeat_count": "1"}, "At least 2 times."),
        ({"repeat_count": "61"}, "At most 60 times."),
        ({"repeat_count": "9" * 400}, "At most 60 times."),
        ({"repeat_ends": "date"}, "Choose its last day."),
        ({"repeat_ends": "date", "repeat_until": "2026-13-01"}, "like 2026-12-04"),
        ({"repeat_ends": "date", "repeat_until": "2026-12-31"}, "It would end before its second date."),
        ({"repeat_ends": "date", "repeat_until": "2199-12-31"}, "60 times or 10 years"),
        ({"repeat_ends": "sometime"}, "Choose how it ends."),
        ({"repeat_kind": "hourly"}, "Choose how often."),
        ({"repeat_kind": "monthly_last"}, "Choose one of these."),
    ],
)
def test_what_cannot_be_meant_is_said_beside_it(team, changes, said):
    answer = post(team, **changes)
    assert answer.status_code == 422
    error = re.search(r'id="schedule-repeat-error">(.*?)</p>', html_of(answer))
    assert error is not None
    assert said in error[1]
    assert not FollowUp.objects.exists()


def test_a_duplicate_is_not_repeated_by_itself(team):
    post(team)
    page = html_of(signed_in(team.agent).get(f"/followups/{FollowUp.objects.get().pk}/duplicate/"))
    assert '<input type="checkbox" name="repeat">' in page


def test_a_viewer_cannot_begin_one(team):
    path = f"/followups/schedule/{team.conversation.pk}/"
    assert signed_in(team.viewer).post(path, filled(team)).status_code == 403
