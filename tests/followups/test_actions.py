"""Cancel, retry, restore and delete: by whom, in which state, with htmx and without JavaScript."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from followups import lifecycle
from followups.lifecycle import people
from followups.models import CancelCause, FailureKind, FollowUp, Status
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of

INDEX = "/followups/"
NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
ACTIONS = ["cancel", "retry", "restore", "delete"]
AFTER = {"cancel": "canceled", "retry": "pending", "restore": "pending", "delete": None}
# What each state permits at all, before anybody's role is asked.
POSSIBLE = {
    "pending": {"cancel"},
    "processing": set(),
    "sent": set(),
    "failed": {"retry", "delete"},
    "canceled": {"delete"},
    "replied": {"restore", "delete"},
}
# What each role may do at all: the agent on their own follow-ups only.
ROLES = {
    "admin": {"cancel", "retry", "restore", "delete"},
    "agent": {"cancel", "retry", "restore"},
    "other_agent": set(),
    "viewer": set(),
}


@pytest.fixture(autouse=True)
def _friday(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team, state="pending", **given):
    if state == "replied":
        given["status"], given["cancel_cause"] = "canceled", CancelCause.REPLY
    else:
        given["status"] = state
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        **given,
    )


def url(action, follow_up):
    return reverse(f"followups:{action}", args=[follow_up.pk])


def post(member, action, follow_up, on=INDEX, **data):
    """POST as htmx does from the page ``on``; without JavaScript where ``on`` is None."""
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{on}"} if on else {}
    return signed_in(member).post(url(action, follow_up), data, headers=headers)


def events(answer):
    return json.loads(answer["HX-Trigger"])


def status_of(follow_up):
    """Return the status that people see; None when it is deleted."""
    return FollowUp.objects.visible().filter(pk=follow_up.pk).values_list("status", flat=True).first()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("on", [INDEX, None], ids=["htmx", "plain"])
def test_every_role_action_and_state_by_direct_post(team, role, on):
    """403 where the role forbids it, 409 where the state does, and then nothing changes."""
    done = 200 if on else 302
    met, expected = {}, {}
    for state, action in itertools.product(POSSIBLE, ACTIONS):
        follow_up = make(team, state)
        before = status_of(follow_up)
        answer = post(getattr(team, role), action, follow_up, on=on)
        met[state, action] = (answer.status_code, status_of(follow_up))
        if action not in ROLES[role]:
            expected[state, action] = (403, before)
        elif action not in POSSIBLE[state]:
            expected[state, action] = (409, before)
        else:
            expected[state, action] = (done, AFTER[action])
    assert met == expected


@pytest.mark.parametrize("action", ACTIONS)
def test_another_organizations_follow_up_is_not_there(team, stranger, action):
    follow_up = make(team, "failed")
    assert post(stranger.admin, action, follow_up).status_code == 404
    assert signed_in(stranger.admin).get(url(action, follow_up)).status_code == 404
    assert status_of(follow_up) == Status.FAILED


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_happens_by_get_nor_without_a_csrf_token(team, action):
    state = next(state for state, actions in POSSIBLE.items() if action in actions)
    follow_up = make(team, state)
    before = status_of(follow_up)
    client = Client(enforce_csrf_checks=True)
    client.force_login(team.admin.user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(url(action, follow_up)).status_code == 200
    assert client.post(url(action, follow_up)).status_code == 403
    assert client.put(url(action, follow_up)).status_code in {403, 405}
    assert status_of(follow_up) == before


class TestHelpPage:
    def test_you_can_cancel_the_follow_up_before_its_sent(self, team):
        """ "Pending: You can cancel the follow-up before it's sent" """
        follow_up = make(team)
        answer = post(team.agent, "cancel", follow_up)
        assert status_of(follow_up) == Status.CANCELED
        assert events(answer)["toast"]["title"] == "Follow-up canceled"
        assert events(answer)["toast"]["text"] == "María Jiménez won’t get visit_reminder."

    def test_you_can_retry_rescheduled_for_5_minutes_in_the_future(self, team):
        """ "Failed: You can retry the send (rescheduled for 5 minutes in the future)" """
        follow_up = make(team, "failed")
        answer = post(team.agent, "retry", follow_up)
        follow_up.refresh_from_db()
        assert follow_up.scheduled_for == NOW + dt.timedelta(minutes=5)
        assert events(answer)["toast"]["text"] == "María Jiménez will get visit_reminder at 9:20 AM."

    def test_canceled_means_canceled_by_a_team_member(self, team):
        """ "Canceled: Manually canceled by a team member" """
        follow_up = make(team)
        post(team.admin, "cancel", follow_up)
        follow_up.refresh_from_db()
        assert follow_up.canceled_by == team.admin.user
        assert follow_up.cancel_cause == CancelCause.MEMBER

    def test_only_admins_can_delete(self, team):
        """ "Only admins can delete canceled or failed follow-ups." """
        for state in ("failed", "canceled"):
            follow_up = make(team, state)
            assert post(team.agent, "delete", follow_up).status_code == 403
            assert post(team.admin, "delete", follow_up).status_code == 200
            assert status_of(follow_up) is None


class TestRowInPlace:
    def test_the_fresh_row_and_the_tabs_counts_are_swapped_in(self, team):
        follow_up = make(team)
        answer = post(team.agent, "cancel", follow_up, on=f"{INDEX}?status=pending&q=mar%C3%ADa")
        html = html_of(answer)
        assert re.search(rf'<template><tr role="row" id="followup-{follow_up.pk}" hx-swap-oob="true">', html)
        assert "badge--canceled" in html
        assert "Canceled <span>1</span>" in html
        assert "status=sent&amp;q=mar%C3%ADa" in html
        assert events(answer).keys() == {"dialog:close", "followups:changed", "toast"}

    def test_outside_of_the_page_nothing_is_swapped(self, team):
        answer = post(team.agent, "cancel", make(team), on="/inbox/1/")
        assert answer.content == b""
        assert events(answer).keys() == {"dialog:close", "followups:changed", "toast"}

    def test_deleting_removes_the_row_and_the_last_one_leaves_the_empty_state(self, team):
        first, last = make(team, "failed"), make(team, "failed")
        html = html_of(post(team.admin, "delete", first, on=f"{INDEX}?status=failed"))
        assert f'id="followup-{first.pk}"' not in html
        assert f'id="followup-{last.pk}"' in html
        assert '<div id="followups-list" hx-swap-oob="innerHTML">' in html
        html = html_of(post(team.admin, "delete", last, on=f"{INDEX}?status=failed"))
        assert "No follow-ups yet" in html

    def test_restoring_brings_back_the_date_it_had(self, team):
        follow_up = make(team, "replied", scheduled_for=NOW + dt.timedelta(days=3))
        answer = post(team.agent, "restore", follow_up)
        follow_up.refresh_from_db()
        assert follow_up.status == Status.PENDING
        assert follow_up.next_attempt_at == follow_up.scheduled_for == NOW + dt.timedelta(days=3)
        assert "Monday 23 November at 9:15 AM" in events(answer)["toast"]["text"]

    def test_one_change_costs_a_bounded_number_of_queries(self, team, django_assert_max_num_queries):
        follow_up = make(team)
        client = signed_in(team.agent)
        headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{INDEX}"}
        with django_assert_max_num_queries(17):
            client.post(url("cancel", follow_up), headers=headers)


class TestAsking:
    @pytest.mark.parametrize(
        ("action", "state", "words"),
        [
            ("cancel", "pending", "won’t get visit_reminder on"),
            ("delete", "failed", "This can’t be undone."),
            ("retry", "failed", "in 5 minutes"),
            ("restore", "replied", "will get visit_reminder on"),
        ],
    )
    @pytest.mark.parametrize("is_htmx", [True, False])
    def test_get_asks_and_its_form_does_it(self, team, action, state, words, is_htmx):
        follow_up = make(team, state)
        headers = {"HX-Request": "true"} if is_htmx else {}
        html = html_of(signed_in(team.admin).get(url(action, follow_up), headers=headers))
        assert words in html
        assert f'<form method="post" action="{url(action, follow_up)}"' in html
        assert ("<dialog" in html) is is_htmx
        assert ("<html" in html) is not is_htmx

    def test_an_unknown_outcome_is_not_retried_before_somebody_confirms(self, team):
        """On a row whose outcome is unknown, Retry asks first."""
        follow_up = make(
            team, "failed", failure_kind=FailureKind.UNKNOWN, failure_code=None, failure_cause="unknown"
        )
        answer = post(team.agent, "retry", follow_up)
        assert "It may have already arrived." in html_of(answer)
        assert answer["HX-Retarget"] == "body"
        assert status_of(follow_up) == Status.FAILED
        post(team.agent, "retry", follow_up, confirmed="1")
        assert status_of(follow_up) == Status.PENDING

    def test_the_row_asks_too_when_the_outcome_is_unknown(self, team):
        follow_up = make(
            team, "failed", failure_kind=FailureKind.UNKNOWN, failure_code=None, failure_cause="unknown"
        )
        html = html_of(signed_in(team.agent).get(INDEX))
        assert f'hx-get="{url("retry", follow_up)}"' in html
        assert f'hx-post="{url("retry", follow_up)}"' not in html

    def test_what_is_no_longer_possible_is_not_asked(self, team):
        follow_up = make(team, "sent")
        answer = signed_in(team.agent).get(url("cancel", follow_up))
        assert answer.status_code == 409
        assert "It is sent now." in html_of(answer)


class TestTooLate:
    @pytest.fixture
    def overtaken(self, team, monkeypatch):
        """A worker claims the row between the look at it and the change."""
        follow_up = make(team, scheduled_for=NOW)
        change = people.change

        def claimed_first(row, leaving, **columns):
            lifecycle.claim(limit=10, now=NOW)
            return change(row, leaving, **columns)

        monkeypatch.setattr(people, "change", claimed_first)
        return follow_up

    def test_losing_the_race_says_so_and_shows_the_row_as_it_is(self, team, overtaken):
        answer = post(team.agent, "cancel", overtaken)
        assert answer.status_code == 409
        assert status_of(overtaken) == Status.PROCESSING
        assert "badge--processing" in html_of(answer)
        toast = events(answer)["toast"]
        assert (toast["text"], toast["tone"]) == ("It is already being sent.", "error")
        assert "dialog:close" in events(answer)

    def test_losing_the_race_without_javascript_is_a_page_that_leads_back(self, team, overtaken):
        answer = post(team.agent, "cancel", overtaken, on=None, next=f"{INDEX}?status=pending")
        assert answer.status_code == 409
        html = html_of(answer)
        assert "It is already being sent." in html
        assert f'href="{INDEX}?status=pending"' in html

    def test_a_second_click_finds_it_done(self, team):
        follow_up = make(team)
        assert post(team.agent, "cancel", follow_up).status_code == 200
        answer = post(team.agent, "cancel", follow_up)
        assert answer.status_code == 409
        assert events(answer)["toast"]["text"] == "It is already canceled."

    def test_deleting_twice_finds_nothing(self, team):
        follow_up = make(team, "failed")
        assert post(team.admin, "delete", follow_up).status_code == 200
        assert post(team.admin, "delete", follow_up).status_code == 404


class TestWithoutJavaScript:
    def test_it_leads_back_to_the_list_it_came_from_and_says_what_happened(self, team):
        follow_up = make(team)
        client = signed_in(team.agent)
        back = f"{INDEX}?status=pending&q=mar"
        asked = html_of(client.get(url("cancel", follow_up), {"next": back}))
        assert 'name="next" value="/followups/?status=pending&amp;q=mar"' in asked
        answer = client.post(url("cancel", follow_up), {"next": back})
        assert answer["Location"] == back
        assert "Follow-up canceled" in html_of(client.get(back))

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://evil.example/",
            "//evil.example/",
            "javascript:alert(1)",
            "",
            "foo",
            "index",
            "/\\evil",
            "//[x",
        ],
    )
    def test_it_never_leads_to_another_site(self, team, elsewhere):
        answer = post(team.agent, "cancel", make(team), on=None, next=elsewhere)
        assert answer["Location"] == INDEX

    @pytest.mark.parametrize("screen", ["//[x", "/[x", "//evil.example/", "", "x"])
    def test_a_page_that_htmx_cannot_have_come_from_is_no_page(self, team, screen):
        follow_up = make(team)
        headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{screen}"}
        answer = signed_in(team.agent).post(url("cancel", follow_up), {}, headers=headers)
        assert answer.status_code == 200
        assert status_of(follow_up) == Status.CANCELED
