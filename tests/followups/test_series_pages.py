"""What pages say of a follow-up that is repeated, and changing one of them or all that follow."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from followups.models import FollowUp, Series, SeriesEnd, Status
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.test_editing import as_repeated
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def row(team: Team) -> FollowUp:
    """The second of a weekly series, which waits."""
    return occurrence(team)


def occurrence(team: Team, number: int = 2, **series: Any) -> FollowUp:
    shared = {
        "organization": team.organization,
        "conversation": team.conversation,
        "template": team.template,
        "created_by": team.agent.user,
    }
    return factories.FollowUpFactory(
        **shared,
        created_at=NOW,
        scheduled_for=FRIDAY,
        occurrence=number,
        series=factories.SeriesFactory(
            **shared,
            **{
                "first_on": dt.date(2026, 11, 20),
                "next_number": number + 1,
                "next_at": FRIDAY + dt.timedelta(days=7),
                **series,
            },
        ),
    )


def get(member: Any, row: FollowUp, action: str = "", **headers: str) -> Any:
    path = f"/followups/{row.pk}/{action}/" if action else f"/followups/{row.pk}/"
    return signed_in(member).get(path, headers=headers or None)


def post(member: Any, row: FollowUp, action: str, **data: Any) -> Any:
    return signed_in(member).post(f"/followups/{row.pk}/{action}/", data, headers=HTMX)


def test_the_list_says_how_it_is_repeated(team, row):
    Series.objects.update(ends="date", until=dt.date(2026, 12, 18))
    assert "Every Friday, until 18 Dec" in signed_in(team.viewer).get("/followups/").text


def test_series_cost_the_list_one_question(team, django_assert_num_queries):
    client = signed_in(team.admin)
    occurrence(team)
    client.get("/followups/")
    with CaptureQueriesContext(connection) as one:
        client.get("/followups/")
    for _number in range(4):
        occurrence(team)
    with django_assert_num_queries(len(one)):
        client.get("/followups/")


def test_the_conversations_banner_says_it(team, row):
    assert "Every Friday" in signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/").text


def test_the_drawer_says_the_next_dates_and_what_ends_it(team, row):
    page = html_of(get(team.agent, row, **HTMX))
    assert "This one is number 2." in page
    assert all(day in page for day in ("Fri 4 Dec", "Fri 11 Dec", "Fri 18 Dec"))
    assert "It ends if one of them fails." in page
    assert "End repeating" in page
    assert "Scheduled after the one before" in page


def test_what_an_answer_ends_is_worded_like_what_it_cancels(team, row):
    Series.objects.update(ends_on_reply=True)
    assert "A message from the contact ends it." in html_of(get(team.agent, row, **HTMX))
    dialog = get(team.agent, row, "edit", **HTMX).text
    for choice, what in (
        ("Only if no answer before then", "A message from María cancels it;"),
        ("Only until an answer comes", "A message from María ends it and cancels the one that waits."),
    ):
        assert re.search(rf"{choice}\s*<small>\s*{what}", dialog)


def test_the_drawer_says_why_no_more_come(team, row):
    Series.objects.update(ended_at=NOW, end_cause=SeriesEnd.MEMBER, ended_by=team.admin.user, next_at=None)
    page = html_of(get(team.agent, row, **HTMX))
    assert f"Ended by {team.admin.user}." in page
    assert "End repeating" not in page


def test_ending_it_leaves_the_one_that_waits_or_cancels_it(team, row):
    assert "Cancel the one on <time" in html_of(get(team.agent, row, "end-series"))
    assert post(team.agent, row, "end-series").status_code == 200
    row.refresh_from_db()
    assert (row.status, Series.objects.get().end_cause) == (Status.PENDING, SeriesEnd.MEMBER)
    other = occurrence(team)
    post(team.agent, other, "end-series", cancel="on")
    other.refresh_from_db()
    assert other.status == Status.CANCELED
    assert not Series.objects.live().exists()


def test_ending_what_has_ended_already_is_refused_in_words(team, row):
    Series.objects.update(ended_at=NOW, end_cause=SeriesEnd.REPLY, next_at=None)
    assert post(team.agent, row, "end-series").status_code == 409


@pytest.mark.parametrize(
    ("role", "allowed"), [("viewer", False), ("other", False), ("agent", True), ("admin", True)]
)
def test_who_may_cancel_it_may_end_it(team, row, role, allowed):
    member = team.other_agent if role == "other" else team.member(role)
    assert post(member, row, "end-series").status_code == (200 if allowed else 403)
    assert Series.objects.live().exists() is not allowed


@pytest.mark.parametrize("following", [True, False])
def test_canceling_asks_whether_it_is_one_or_all_that_follow(team, row, following):
    assert "This and all that follow" in get(team.agent, row, "cancel").text
    post(team.agent, row, "cancel", confirmed="1", following="on" if following else "")
    assert Series.objects.live().exists() is not following


@pytest.mark.parametrize("following", [True, False])
def test_rescheduling_asks_the_same(team, row, following):
    assert "This and all that follow" in get(team.agent, row, "move").text
    answer = post(
        team.agent,
        row,
        "move",
        version=0,
        when="custom",
        date="2026-12-01",
        time="11:00",
        following="on" if following else "",
    )
    assert answer.status_code == 200
    assert ("move/undo" in answer.headers.get("HX-Trigger", "") + answer.text) is not following
    expected = dt.date(2026, 12, 1) if following else dt.date(2026, 11, 20)
    assert Series.objects.get().first_on == expected


@pytest.mark.parametrize("following", [True, False])
def test_editing_asks_the_same(team, row, following):
    assert "This and all that follow" in get(team.agent, row, "edit").text
    data = as_repeated(row, note="New", following="on" if following else "")
    assert post(team.agent, row, "edit", **data).status_code == 200
    assert Series.objects.get().note == ("New" if following else "")


def test_one_that_is_not_repeated_is_asked_nothing_more(team):
    alone = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
    )
    for action in ("cancel", "move", "edit"):
        assert "all that follow" not in get(team.agent, alone, action).text
