"""The contact writes while a follow-up waits: keep it, move it, or cancel it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Message
from followups.models import FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def schedule(team: Team, **fields: Any) -> FollowUp:
    return factories.FollowUpFactory(
        **{
            "organization": team.organization,
            "conversation": team.conversation,
            "template": team.template,
            "created_by": team.agent.user,
            "created_at": NOW - dt.timedelta(days=2),
            "scheduled_for": NOW + dt.timedelta(days=7),
            **fields,
        }
    )


def write(team: Team, *, hours_ago: float = 1) -> None:
    team.conversation.last_inbound_at = NOW - dt.timedelta(hours=hours_ago)
    team.conversation.save(update_fields=["last_inbound_at"])


def conversation(member: Any, team: Team) -> str:
    return html_of(signed_in(member).get(f"/inbox/{team.conversation.pk}/"))


def asks(member: Any, team: Team) -> bool:
    return 'id="follow-up-asks"' in conversation(member, team)


def post(member: Any, follow_up: FollowUp, verb: str, **data: Any) -> Any:
    data = {"version": follow_up.version, **data}
    return signed_in(member).post(f"/followups/{follow_up.pk}/{verb}/", data, headers=HTMX)


def test_the_conversation_asks_whoever_may_decide(team):
    schedule(team)
    assert not asks(team.agent, team)
    write(team)
    html = conversation(team.agent, team)
    assert "María wrote, and a follow-up is waiting for <b>" in html
    assert asks(team.admin, team)
    for member in (team.viewer, team.other_agent):
        html = conversation(member, team)
        assert "Follow-up scheduled: " in html
        assert 'id="follow-up-asks"' not in html


@pytest.mark.parametrize(
    ("fields", "hours_ago"),
    [
        ({"cancel_on_reply": True}, 1),
        ({}, 49),
        ({"held_reason": "contact"}, 1),
        ({"status": "processing"}, 1),
    ],
)
def test_it_does_not_ask_what_is_decided_or_was_known(team, fields, hours_ago):
    schedule(team, **fields)
    write(team, hours_ago=hours_ago)
    assert not asks(team.agent, team)


def test_kept_is_kept_for_good_and_sent_at_its_time(team):
    follow_up = schedule(team)
    write(team)
    assert post(team.agent, follow_up, "keep").status_code == 200
    assert not asks(team.agent, team)
    write(team, hours_ago=0)
    assert not asks(team.agent, team)
    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.scheduled_for) == ("pending", NOW + dt.timedelta(days=7))
    assert "Kept by" in html_of(signed_in(team.agent).get(f"/followups/{follow_up.pk}/"))


def test_moved_goes_out_at_the_other_moment_and_the_thread_says_it(team):
    follow_up = schedule(team, failures=2, failure_kind="temporary", failure_cause="timeout")
    write(team)
    dialog = html_of(signed_in(team.agent).get(f"/followups/{follow_up.pk}/move/", headers=HTMX))
    assert 'value="2026-11-27"' in dialog
    response = post(team.agent, follow_up, "move", when="custom", date="2026-12-04", time="10:30")
    assert "Follow-up moved" in response["HX-Trigger"]
    assert "dialog:close" in response["HX-Trigger"]
    follow_up.refresh_from_db()
    at = dt.datetime(2026, 12, 4, 16, 30, tzinfo=dt.UTC)
    assert (follow_up.scheduled_for, follow_up.next_attempt_at, follow_up.failures) == (at, at, 0)
    html = conversation(team.agent, team)
    assert "moved visit_reminder to Fri 4 Dec, 10:30 AM" in html
    assert 'id="follow-up-asks"' not in html


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"when": "custom", "date": "2026-11-21", "time": "10:00"}, "That’s tomorrow. Choose a time from"),
        (
            {"when": "custom", "date": "2027-11-21", "time": "10:00"},
            "That’s 366 days from now. Choose a time",
        ),
        ({"when": "custom", "date": "nonsense", "time": ""}, "Enter the date as year-month-day"),
        ({"when": "never"}, "Choose one of the times below"),
        ({}, "Choose when to send it."),
    ],
)
def test_a_moment_that_may_not_be_scheduled_is_none_to_move_to(team, data, words):
    follow_up = schedule(team)
    response = post(team.agent, follow_up, "move", **data)
    assert response.status_code == 422
    assert words in html_of(response)
    assert response["HX-Retarget"] == "#move-form"
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == NOW + dt.timedelta(days=7)


def test_a_quick_option_means_the_moment_that_it_showed(team):
    follow_up = schedule(team)
    at = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)
    data = {"when": "tomorrow_9", "shown_tomorrow_9": at.isoformat()}
    assert post(team.agent, follow_up, "move", **data).status_code == 200
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == at


@pytest.mark.parametrize("verb", ["keep", "move"])
def test_one_that_is_being_sent_stays_as_it_is(team, verb):
    follow_up = schedule(team, status="processing")
    response = post(team.agent, follow_up, verb, when="custom", date="2026-12-04", time="10:30")
    assert response.status_code == 409
    assert not Message.objects.exists()
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == NOW + dt.timedelta(days=7)


@pytest.mark.parametrize("verb", ["keep", "move"])
def test_only_whoever_scheduled_it_or_an_admin_decides(team, verb):
    follow_up = schedule(team)
    for member in (team.viewer, team.other_agent):
        assert post(member, follow_up, verb).status_code == 403


def test_one_restored_after_the_answer_that_canceled_it_is_decided(team):
    follow_up = schedule(team, status="canceled", cancel_cause="reply", canceled_at=NOW, cancel_on_reply=True)
    write(team)
    assert post(team.agent, follow_up, "restore").status_code == 200
    assert not asks(team.agent, team)


def test_without_scripts_the_same_buttons_lead_back_to_the_conversation(team):
    follow_up = schedule(team)
    write(team)
    back = f"/inbox/{team.conversation.pk}/"
    agent = signed_in(team.agent)
    assert f'formaction="/followups/{follow_up.pk}/keep/?next={back}"' in conversation(team.agent, team)
    page = html_of(agent.get(f"/followups/{follow_up.pk}/move/?next={back}"))
    assert "<h1" in page
    data = {"when": "custom", "date": "2026-12-04", "time": "10:30", "next": back, "version": 0}
    assert agent.post(f"/followups/{follow_up.pk}/move/", data)["Location"] == back
    assert agent.post(f"/followups/{follow_up.pk}/keep/?next={back}")["Location"] == back
    assert timezone.localdate() < FollowUp.objects.get().scheduled_for.date()
