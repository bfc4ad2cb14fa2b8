"""Changing how a follow-up is repeated: what the dialog offers and says, the history, and two at once."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from followups import lifecycle
from followups.models import FollowUp, Series, SeriesEnd, Status
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.test_editing import as_repeated, as_shown
from tests.followups.test_series_pages import FRIDAY, HTMX, NOW, get, occurrence, post
from tests.html import html_of

pytestmark = pytest.mark.django_db

ERROR = re.compile(r'id="schedule-repeat-error">(.*?)</p>')
DATES = re.compile(r"<li><time[^>]*>([^<]*)</time></li>")


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def row(team: Team) -> FollowUp:
    """The second of a weekly series, which waits for Friday 27 November."""
    return occurrence(team)


@pytest.fixture
def alone(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=FRIDAY,
    )


def save(member: Any, row: FollowUp, **changes: Any) -> Any:
    return post(member, row, "edit", **as_repeated(row, **changes))


def check(team: Team, row: FollowUp, **changes: Any) -> str:
    return html_of(post(team.agent, row, "edit/check", **as_repeated(row, **changes)))


def test_the_dialog_shows_how_it_is_repeated_and_the_next_dates(team, row):
    Series.objects.update(ends="count", count=6, ends_on_reply=True)
    page = html_of(get(team.agent, row, "edit", **HTMX))
    assert '<input type="checkbox" name="repeat" checked>' in page
    assert '<option value="weekly" selected>Every Friday</option>' in page
    assert '<option value="count" selected>' in page
    assert 'name="repeat_count" value="6"' in page
    assert "times in all; this one is number 2" in page
    assert 'name="repeat_ends_on_reply" checked' in page
    assert DATES.findall(page) == ["Fri 27 Nov", "Fri 4 Dec", "Fri 11 Dec"]


def test_another_rule_is_saved_with_how_it_was_in_the_history(team, row):
    answer = save(team.agent, row, repeat_kind="monthly", repeat_ends="count", repeat_count="4")
    assert answer.status_code == 200
    series = Series.objects.get()
    assert (series.kind, series.count, series.first_on) == ("monthly", 4, FRIDAY.date())
    assert f"{series.next_at:%Y-%m-%d}" == "2026-12-27"
    page = html_of(get(team.viewer, row))
    assert f"Changed by {team.agent.user}" in page
    assert "<del>Every Friday</del>" in page
    assert "<ins>Every month on day 27, 4 times in all</ins>" in page


def test_what_ends_it_is_in_the_history_too(team, row):
    save(team.agent, row, repeat_ends_on_failure=False, repeat_ends_on_reply="on")
    series = Series.objects.get()
    assert (series.ends_on_failure, series.ends_on_reply) == (False, True)
    changes = FollowUp.objects.get().changes.last().values
    assert (changes["from"]["repeat"]["ends_on_failure"], changes["to"]["repeat"]["ends_on_failure"]) == (
        True,
        False,
    )
    assert "End it if one of them fails" in html_of(get(team.viewer, row))


def test_moving_all_that_follow_says_in_the_history_how_they_are_repeated_now(team, row):
    given = {"version": 0, "when": "custom", "date": "2026-12-01", "time": "09:00", "following": "on"}
    post(team.agent, row, "move", **given)
    page = html_of(get(team.viewer, row))
    assert "<del>Every Friday</del>" in page
    assert "<ins>Every Tuesday</ins>" in page


def test_the_changes_and_dates_are_said_before_it_is_saved(team, row):
    answer = check(team, row, repeat_kind="monthly")
    assert "<dt>Repeat</dt>" in answer
    assert "<ins>Every month on day 27</ins>" in answer
    assert "Save 1 change" in answer
    assert DATES.findall(answer) == ["Fri 27 Nov", "Sun 27 Dec", "Wed 27 Jan 2027"]
    assert "<ins>No</ins>" in check(team, row, repeat=False)


def test_another_date_changes_what_the_rule_is_called_for_all_that_follow(team, row):
    to = {"when": "custom", "date": "2026-12-01", "time": "09:00"}
    assert '<option value="weekly" selected>Every Tuesday</option>' in check(team, row, **to)
    alone = check(team, row, following="", **to)
    assert "<dt>Repeat</dt>" not in alone
    assert "<small>Every Friday</small>" in alone


def test_a_choice_within_repeat_does_not_swap_the_list_that_it_was_made_in(team, row):
    assert "<select" not in check(team, row, repeat_from="2026-11-27", repeat_kind="monthly")


def test_of_this_one_alone_the_rule_stays_whatever_stands_in_its_fields(team, row):
    answer = save(team.agent, row, following="", note="New", repeat_kind="yearly", repeat_ends="x")
    assert answer.status_code == 200
    series = Series.objects.get()
    assert (series.kind, series.version, series.note) == ("weekly", 0, "")


def test_unticking_ends_it_and_keeps_what_waits(team, row):
    assert save(team.agent, row, repeat=False).status_code == 200
    assert Series.objects.get().end_cause == SeriesEnd.MEMBER
    assert FollowUp.objects.get().status == Status.PENDING
    assert "<ins>No</ins>" in html_of(get(team.viewer, row))


def test_one_alone_can_be_repeated_from_its_date_on(team, alone):
    assert "all that follow" not in get(team.agent, alone, "edit").text
    rule = {"repeat": "on", "repeat_kind": "weekly", "repeat_ends": "date", "repeat_until": "2026-12-18"}
    for _twice in range(2):
        assert post(team.agent, alone, "edit", **as_shown(alone, **rule)).status_code == 200
    series = Series.objects.get()
    assert (series.first_on, series.until) == (FRIDAY.date(), dt.date(2026, 12, 18))
    alone.refresh_from_db()
    assert (alone.series, alone.occurrence) == (series, 1)
    assert "<ins>Every Friday, until 18 Dec</ins>" in html_of(get(team.viewer, alone))


def test_one_whose_series_has_ended_can_be_repeated_again(team, row):
    lifecycle.end_series(row.series, by=team.admin.user, now=NOW)
    rule = {"repeat": "on", "repeat_kind": "weekly", "repeat_ends": "never", "series_version": 1}
    assert post(team.agent, row, "edit", **as_shown(row, **rule)).status_code == 200
    row.refresh_from_db()
    assert (row.series.is_live, row.occurrence) == (True, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repeat_ends": "count", "repeat_count": "2"}, "No more would come after this one."),
        ({"repeat_ends": "date", "repeat_until": "2026-12-03"}, "No more would come after this one."),
        ({"repeat_ends": "count", "repeat_count": "62"}, "At most 61 times."),
        ({"repeat_ends": "date", "repeat_until": "2199-12-31"}, "61 times or 10 years"),
        ({"repeat_kind": "hourly"}, "Choose how often."),
    ],
)
def test_what_cannot_be_meant_is_said_beside_it(team, row, changes, said):
    answer = save(team.agent, row, **changes)
    assert answer.status_code == 422
    assert said in ERROR.search(html_of(answer))[1]
    assert Series.objects.get().version == 0


def test_a_step_shorter_than_the_window_is_taken_no_longer_but_for_the_one_that_it_has(team, row):
    Series.objects.update(kind="monthly")
    team.organization.min_days = 8
    team.organization.save()
    row.refresh_from_db()
    assert "It can’t be repeated like that" in save(team.agent, row, repeat_kind="weekly").text
    Series.objects.update(kind="weekly")
    assert save(team.agent, row, note="New").status_code == 200


def test_the_rule_is_not_saved_over_a_colleagues(team, row):
    assert save(team.admin, row, repeat_kind="monthly").status_code == 200
    answer = save(team.agent, row, repeat_kind="yearly")
    assert answer.status_code == 409
    page = html_of(answer)
    assert f"<b>{team.admin.user} changed it at" in page
    assert "<del>Every month on day 27</del>" in page
    assert "<ins>Every year on 27 November</ins>" in page
    assert 'name="series_version" value="1"' in page
    assert Series.objects.get().kind == "monthly"


def test_nor_over_its_end_which_leaves_the_row_as_it_was(team, row):
    lifecycle.end_series(row.series, by=team.admin.user, now=NOW)
    row.series.version = 0
    answer = save(team.agent, row, note="New", repeat_kind="yearly")
    assert answer.status_code == 409
    assert f"<b>{team.admin.user} changed it at" in answer.text
    assert FollowUp.objects.get().note == ""
    assert Series.objects.count() == 1


def test_one_alone_is_changed_although_its_series_has_ended_meanwhile(team, row):
    lifecycle.end_series(row.series, by=team.admin.user, now=NOW)
    row.series.version = 0
    assert save(team.agent, row, following="", note="New").status_code == 200
    assert FollowUp.objects.get().note == "New"
    assert not Series.objects.live().exists()


def test_a_dialog_from_before_that_knew_no_rule_ends_nothing(team, row):
    answer = post(team.agent, row, "edit", **as_shown(row, note="New", following="on"))
    assert answer.status_code == 409
    assert Series.objects.live().exists()


def test_what_is_scheduled_instead_of_one_that_was_faster_is_not_repeated_besides(team, row):
    data = as_repeated(row, note="New")
    FollowUp.objects.update(status="processing", claim_token=data["submission"], lease_expires_at=FRIDAY)
    answer = post(team.agent, row, "edit", **data)
    assert answer.status_code == 409
    assert '<input type="checkbox" name="repeat">' in html_of(answer)


def test_only_whoever_may_change_it_may_change_the_rule(team, row):
    for member in (team.other_agent, team.viewer):
        assert save(member, row, repeat_kind="monthly").status_code == 403
    path = f"/followups/{row.pk}/edit/"
    stranger = factories.MembershipFactory(role="admin")
    assert signed_in(stranger).post(path, as_repeated(row)).status_code == 404
    assert Series.objects.get().kind == "weekly"
