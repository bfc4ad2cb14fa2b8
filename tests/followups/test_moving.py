"""Rescheduling what waits: from where, by whom, and when somebody else was faster."""

from __future__ import annotations

import datetime as dt
import json
from html import unescape
from typing import Any

import pytest

from followups import lifecycle
from followups.models import FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
LATER = {"when": "custom", "date": "2026-12-04", "time": "10:30"}


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
        created_at=NOW - dt.timedelta(days=2),
        scheduled_for=FRIDAY,
    )


def move(member: Any, follow_up: FollowUp, **data: Any) -> Any:
    data = {"version": follow_up.version, **LATER, **data}
    return signed_in(member).post(f"/followups/{follow_up.pk}/move/", data, headers=HTMX)


def page(member: Any, path: str, **headers: str) -> str:
    return html_of(signed_in(member).get(path, headers=headers))


@pytest.mark.parametrize("where", ["/followups/", "/followups/{pk}/", "/inbox/{conversation}/"])
def test_the_table_the_drawer_and_the_conversation_lead_there_whoever_may_cancel(team, follow_up, where):
    path = where.format(pk=follow_up.pk, conversation=team.conversation.pk)
    way = f'hx-get="/followups/{follow_up.pk}/move/"'
    for member in (team.agent, team.admin):
        assert way in page(member, path)
    for member in (team.other_agent, team.viewer):
        assert way not in page(member, path)


def test_what_is_no_longer_pending_offers_no_other_date(team, follow_up):
    FollowUp.objects.update(status="canceled", canceled_at=NOW, cancel_cause="member", next_attempt_at=None)
    lifecycle.recount()
    for path in ("/followups/", f"/followups/{follow_up.pk}/"):
        assert f"/followups/{follow_up.pk}/move/" not in page(team.admin, path)


def test_a_quick_option_is_one_click(team, follow_up):
    html = page(team.agent, f"/followups/{follow_up.pk}/move/", **HTMX)
    for key in ("tomorrow_9", "in_2_days_10", "in_1_week_9"):
        assert f'<button type="submit" name="when" value="{key}">' in html
    at = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)
    shown = {"when": "tomorrow_9", "shown_tomorrow_9": at.isoformat()}
    assert move(team.agent, follow_up, **shown).status_code == 200
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == at


def test_the_history_keeps_who_moved_it_from_and_to(team, follow_up):
    move(team.admin, follow_up)
    html = page(team.agent, f"/followups/{follow_up.pk}/")
    assert f"Moved by {team.admin.user}" in html
    assert "<del>Fri 27 Nov, 9:00 AM</del>" in html
    assert "<ins>Fri 4 Dec, 10:30 AM</ins>" in html


def test_a_move_of_before_the_history_kept_dates_is_still_told(team, follow_up):
    factories.ChangeFactory(follow_up=follow_up, kind="moved", by=team.admin.user)
    assert f"Moved by {team.admin.user}" in page(team.agent, f"/followups/{follow_up.pk}/")


def test_whoever_was_shown_an_older_date_is_told_the_newer_one_and_asked_again(team, follow_up):
    move(team.admin, follow_up)
    response = move(team.agent, follow_up, date="2026-12-11")
    assert response.status_code == 409
    assert response["HX-Retarget"] == "#move-form"
    html = html_of(response)
    assert f"{team.admin.user} has changed it meanwhile" in html
    assert "Fri 4 Dec, 10:30 AM" in html
    assert 'value="2026-12-11"' in html
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == dt.datetime(2026, 12, 4, 16, 30, tzinfo=dt.UTC)
    assert move(team.agent, follow_up, date="2026-12-11").status_code == 200


def test_the_same_form_twice_moves_it_once(team, follow_up):
    assert move(team.agent, follow_up).status_code == 200
    assert move(team.agent, follow_up).status_code == 200
    assert follow_up.changes.filter(kind="moved").count() == 1


def test_a_form_that_has_lost_what_it_showed_changes_nothing(team, follow_up):
    assert move(team.agent, follow_up, version="").status_code == 409
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == FRIDAY


def test_an_open_page_hears_that_a_row_was_moved_within_the_same_day(team, follow_up):
    """Also where the words beside its date stay the same."""
    row = page(team.agent, "/followups/").split('name="seen" value="')[1].split('"')[0]
    move(team.admin, follow_up, date="2026-11-27", time="09:01")
    answer = signed_in(team.agent).get("/followups/rows/", {"seen": row}, headers=HTMX)
    assert "Fri 27 Nov, 9:01 AM" in html_of(answer)


# Undo ---------------------------------------------------------------------------------------------


def undo_of(answer: Any) -> str:
    toast = json.loads(answer["HX-Trigger"])["toast"]
    assert (toast["link"], toast["posts"]) == ("Undo", True)
    return toast["url"]


def test_a_move_can_be_undone_from_what_says_it_also_to_a_day_before_the_window(team, follow_up):
    FollowUp.objects.update(
        scheduled_for=NOW + dt.timedelta(days=1), next_attempt_at=NOW + dt.timedelta(days=1)
    )
    follow_up.refresh_from_db()
    url = undo_of(move(team.agent, follow_up))
    answer = signed_in(team.agent).post(url, headers=HTMX)
    assert answer.status_code == 200
    assert "Follow-up moved back" in answer["HX-Trigger"]
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == follow_up.next_attempt_at == NOW + dt.timedelta(days=1)
    assert follow_up.changes.filter(kind="moved").count() == 2


def test_without_scripts_undo_is_a_form_that_leads_back(team, follow_up):
    client = signed_in(team.agent)
    data = {"version": 0, **LATER, "next": "/followups/?status=pending"}
    client.post(f"/followups/{follow_up.pk}/move/", data)
    html = html_of(client.get("/followups/?status=pending"))
    url = f"/followups/{follow_up.pk}/move/undo/?version=1&amp;next=%2Ffollowups%2F%3Fstatus%3Dpending"
    assert f'<form method="post" action="{url}"' in html
    assert client.post(unescape(url))["Location"] == "/followups/?status=pending"
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == FRIDAY


def test_undo_undoes_nothing_of_a_colleagues(team, follow_up):
    url = undo_of(move(team.agent, follow_up))
    follow_up.refresh_from_db()
    move(team.admin, follow_up, date="2026-12-11")
    for member in (team.agent, team.admin):
        answer = signed_in(member).post(url, headers=HTMX)
        assert answer.status_code == 409
        assert "It was changed in the meantime." in answer["HX-Trigger"]
    assert signed_in(team.other_agent).post(url, headers=HTMX).status_code == 403
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == dt.datetime(2026, 12, 11, 16, 30, tzinfo=dt.UTC)


def test_undo_twice_moves_nothing_forth_again(team, follow_up):
    url = undo_of(move(team.agent, follow_up))
    signed_in(team.agent).post(url, headers=HTMX)
    assert signed_in(team.agent).post(url, headers=HTMX).status_code == 409
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == FRIDAY


def test_undo_does_not_send_at_once_what_would_have_gone_by_now(team, follow_up, time_machine):
    url = undo_of(move(team.agent, follow_up))
    time_machine.move_to(FRIDAY, tick=False)
    answer = signed_in(team.agent).post(url, headers=HTMX)
    assert answer.status_code == 409
    assert "has passed" in answer["HX-Trigger"]
