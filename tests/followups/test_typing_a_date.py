"""Typing when it is sent: in the dialogs, and on pages without JavaScript."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from followups.models import FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
# The fourth of December at 2:30 PM there.
MEANT = dt.datetime(2026, 12, 4, 20, 30, tzinfo=dt.UTC)
TYPED = "4 dec 2:30pm"
SHOWN = {"date": "2026-12-04", "time": "14:30"}
MEANING = "“4 dec 2:30pm” means Friday 4 December at 2:30 PM. Check it, then press the button again."
UNREAD = "I can’t read that as a date. Try fri 10am or 4 dec 14:00."


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
        scheduled_for=NOW + dt.timedelta(days=7),
    )


def check(team: Team, target: str = "", **data: str) -> str:
    headers = {**HTMX, "HX-Target": target}
    path = f"/followups/schedule/{team.conversation.pk}/check/"
    return html_of(signed_in(team.agent).post(path, {"when": "custom", **data}, headers=headers))


def schedule(team: Team, *, htmx: bool = True, **data: str) -> Any:
    values = {
        "template": team.template.pk,
        **{f"p-body-{number}": "x" for number in (1, 2, 3)},
        "submission": str(uuid.uuid4()),
        "when": "custom",
    }
    path = f"/followups/schedule/{team.conversation.pk}/"
    return signed_in(team.agent).post(path, values | data, headers=HTMX if htmx else {})


def move(team: Team, follow_up: FollowUp, **data: str) -> Any:
    data = {"version": str(follow_up.version), "when": "custom", **data}
    return signed_in(team.agent).post(f"/followups/{follow_up.pk}/move/", data, headers=HTMX)


@pytest.mark.parametrize("target", ["", "schedule-date"])
def test_what_it_means_is_shown_while_it_is_typed_and_filled_in(team, target):
    html = check(team, target, typed="vie 4 dic a las 2:30 pm", date="", time="09:00")
    understood = html.partition('class="understood"')[2]
    assert "Friday 4 December at 2:30 PM" in understood
    assert "in 14 days" in understood
    assert 'data-date="2026-12-04" data-time="14:30"' in html
    assert 'class="error"' not in html


def test_what_is_picked_is_not_filled_in_anew(team):
    """Somebody may be typing into it."""
    assert "data-date" not in check(team, typed="", **SHOWN)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("hola", UNREAD),
        (
            "tomorrow 9am",
            "That’s tomorrow. Choose a time from Wed 25 Nov, 9:00 AM to Thu 18 Feb 2027, 9:00 AM.",
        ),
        ("ayer", "That’s in the past."),
        ("in 100 days", "That’s 100 days from now."),
        ("9" * 61, "Say it in 60 characters or fewer. Try fri 10am or 4 dec 14:00."),
        ("31/12/9999 23:59", "Choose a date that is nearer to today."),
        ("<b>fri</b>", UNREAD),
    ],
)
def test_what_cannot_be_is_said_at_once_and_refused_at_the_submit(team, typed, words):
    """The window holds for what is typed as for what is picked."""
    html = check(team, typed=typed, **SHOWN)
    assert 'id="schedule-typed-error"' in html
    assert words in html
    response = schedule(team, typed=typed, **SHOWN)
    assert response.status_code == 422
    assert words in html_of(response)
    assert not FollowUp.objects.exists()


def test_a_time_that_the_clocks_skip_is_refused_with_the_next_one(team):
    team.organization.timezone = "America/New_York"
    team.organization.max_days = 365
    team.organization.save()
    html = check(team, typed="14 mar 2:30 am", date="", time="")
    assert (
        "The clocks go forward that day, so this time doesn’t exist. Choose Sun 14 Mar, 3:30 AM instead."
        in html
    )


def test_what_was_shown_is_scheduled(team):
    assert schedule(team, typed=TYPED, **SHOWN).status_code == 204
    assert FollowUp.objects.get().scheduled_for == MEANT


@pytest.mark.parametrize(
    "shown", [{}, {"date": "", "time": "09:00"}, {"date": "2026-12-11", "time": "14:30"}]
)
def test_what_was_not_shown_is_asked_about_first(team, shown):
    """Who pressed Enter at once, has no JavaScript, or picked another day: the form comes back with it."""
    response = schedule(team, htmx=False, typed=TYPED, **shown)
    assert response.status_code == 422
    html = html_of(response)
    assert MEANING in html
    for name, value in SHOWN.items():
        assert f'name="{name}" value="{value}"' in html
    assert not FollowUp.objects.exists()
    # What came back is sent as it is.
    assert schedule(team, htmx=False, typed="", **SHOWN).status_code == 302
    assert FollowUp.objects.get().scheduled_for == MEANT


def test_what_was_typed_overnight_means_another_day_and_is_asked_about(team, time_machine):
    html = check(team, typed="in 2 weeks", date="", time="")
    assert 'data-date="2026-12-04"' in html
    time_machine.move_to(NOW + dt.timedelta(days=1), tick=False)
    response = schedule(team, typed="in 2 weeks", date="2026-12-04", time="09:00")
    assert response.status_code == 422
    assert "“in 2 weeks” means Saturday 5 December at 9:00 AM." in html_of(response)
    assert not FollowUp.objects.exists()


def test_a_quick_option_does_not_mind_what_was_typed(team):
    assert (
        schedule(
            team, when="in_1_week_9", shown_in_1_week_9="2026-11-27T15:00:00+00:00", typed="x"
        ).status_code
        == 204
    )


def test_a_follow_up_is_moved_to_what_was_typed(team, follow_up):
    response = move(team, follow_up, typed=TYPED)
    assert response.status_code == 422
    assert MEANING in html_of(response)
    assert move(team, follow_up, typed=TYPED, **SHOWN).status_code == 200
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == MEANT


def test_an_edit_lists_it_among_its_changes(team, follow_up):
    data = {
        "submission": str(uuid.uuid4()),
        "version": follow_up.version,
        "template": follow_up.template_id,
        **{f"p-{key.replace('.', '-')}": value for key, value in follow_up.parameters.items()},
        "when": "custom",
        "typed": TYPED,
        **SHOWN,
    }
    client, path = signed_in(team.agent), f"/followups/{follow_up.pk}/edit/"
    html = html_of(client.post(f"{path}check/", data, headers=HTMX))
    assert "Fri 4 Dec, 2:30 PM" in html
    assert client.post(path, data, headers=HTMX).status_code == 200
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == MEANT


def test_whoever_may_not_schedule_may_not_ask_what_it_means(team, stranger):
    path = f"/followups/schedule/{team.conversation.pk}/check/"
    for member, status in ((team.viewer, 403), (stranger.admin, 404)):
        data = {"when": "custom", "typed": "fri 10am"}
        assert signed_in(member).post(path, data, headers=HTMX).status_code == status
