"""Handing a follow-up over: to whom, by whom, and what its new owner has of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation
from followups import announcements, lifecycle
from followups.models import FollowUp
from notifications.models import Notification
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.engine import tick
from tests.html import html_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


@pytest.fixture
def follow_up(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
    )


def hand_over(member: Any, follow_up: FollowUp, to: Any, **headers: str) -> Any:
    path = f"/followups/{follow_up.pk}/hand-over/"
    return signed_in(member).post(path, {"to": to}, headers=headers or HTMX)


def page(member: Any, path: str, **headers: str) -> str:
    return html_of(signed_in(member).get(path, headers=headers))


@pytest.mark.parametrize("where", ["/followups/{pk}/menu/", "/followups/{pk}/"])
def test_the_row_and_the_drawer_lead_there_for_admins(team, follow_up, where):
    way = f'hx-get="/followups/{follow_up.pk}/hand-over/"'
    assert way in page(team.admin, where.format(pk=follow_up.pk))
    for member in (team.agent, team.other_agent, team.viewer):
        assert way not in page(member, where.format(pk=follow_up.pk))


def test_only_admins_hand_over(team, follow_up):
    for member in (team.agent, team.viewer):
        assert hand_over(member, follow_up, team.other_agent.user_id).status_code == 403
    follow_up.refresh_from_db()
    assert follow_up.owner is None


def test_its_new_owner_may_change_it_and_its_creator_no_longer(team, follow_up):
    response = hand_over(team.admin, follow_up, team.other_agent.user_id)
    assert response.status_code == 200
    assert "Follow-up handed over" in response["HX-Trigger"]
    cancel = f'hx-get="/followups/{follow_up.pk}/cancel/"'
    assert cancel in page(team.other_agent, "/followups/")
    assert cancel not in page(team.agent, "/followups/")


def test_who_scheduled_it_stays_and_the_row_says_for_whom_it_is(team, follow_up):
    hand_over(team.admin, follow_up, team.other_agent.user_id)
    html = page(team.viewer, f"/followups/?by={team.agent.user_id}")
    assert str(team.agent.user) in html
    assert f"for {team.other_agent.user.first_name}</small>" in html
    of_the_owner = page(team.viewer, f"/followups/?by={team.other_agent.user_id}")
    assert f"/followups/{follow_up.pk}/" not in of_the_owner
    sheet = page(team.other_agent, f"/inbox/{team.conversation.pk}/?sheet=contact")
    assert "for you" in sheet


def test_the_new_owner_is_told_and_the_history_keeps_from_whom_to_whom(team, follow_up):
    hand_over(team.admin, follow_up, team.other_agent.user_id)
    notice = Notification.objects.get()
    assert notice.recipient == team.other_agent.user
    assert str(team.admin.user) in notice.text
    html = page(team.agent, f"/followups/{follow_up.pk}/")
    assert f"Handed over by {team.admin.user}" in html
    assert f"<del>{team.agent.user}</del>" in html
    assert f"<ins>{team.other_agent.user}</ins>" in html


def test_an_admin_who_takes_it_need_not_be_told(team, follow_up):
    hand_over(team.admin, follow_up, team.admin.user_id)
    follow_up.refresh_from_db()
    assert follow_up.owner == team.admin.user
    assert not Notification.objects.exists()


def test_to_whom_it_is_already_changes_nothing_and_tells_nobody(team, follow_up):
    assert hand_over(team.admin, follow_up, team.agent.user_id).status_code == 200
    assert not follow_up.changes.exists()
    assert not Notification.objects.exists()


@pytest.mark.parametrize("whose", ["viewer", "stranger", "nobody", "nonsense"])
def test_it_goes_only_to_members_who_may_write(team, follow_up, stranger, whose):
    ids = {
        "viewer": team.viewer.user_id,
        "stranger": stranger.agent.user_id,
        "nobody": "",
        "nonsense": "9" * 40,
    }
    response = hand_over(team.admin, follow_up, ids[whose])
    assert response.status_code == 422
    follow_up.refresh_from_db()
    assert follow_up.owner is None


def test_what_is_being_sent_is_not_handed_over(team, follow_up):
    FollowUp.objects.update(
        status="processing", claim_token=follow_up.submission, lease_expires_at=timezone.now()
    )
    assert hand_over(team.admin, follow_up, team.other_agent.user_id).status_code == 409


def test_of_two_admins_at_once_the_later_hears_of_the_other(team, follow_up):
    as_shown = FollowUp.objects.get()
    hand_over(team.admin, follow_up, team.other_agent.user_id)
    with pytest.raises(lifecycle.TransitionRefused, match="changed in the meantime"):
        lifecycle.hand_over(as_shown, to=team.admin.user, by=team.admin, now=timezone.now())


def test_without_scripts_it_leads_back_and_says_what_happened(team, follow_up):
    client = signed_in(team.admin)
    back = "/followups/?status=pending"
    data = {"to": team.other_agent.user_id, "next": back}
    assert client.post(f"/followups/{follow_up.pk}/hand-over/", data)["Location"] == back
    assert f"{team.other_agent.user} is in charge" in html_of(client.get(back))


def test_an_open_page_hears_of_it(team, follow_up):
    row = page(team.agent, "/followups/").split('name="seen" value="')[1].split('"')[0]
    hand_over(team.admin, follow_up, team.other_agent.user_id)
    answer = signed_in(team.agent).get("/followups/rows/", {"seen": row}, headers=HTMX)
    assert f"for {team.other_agent.user.first_name}" in html_of(answer)


def test_its_owner_is_told_what_becomes_of_it_and_gets_the_conversation(team, due, meta):
    mine = due()
    lifecycle.hand_over(mine, to=team.other_agent.user, by=team.other_agent, now=timezone.now())
    tick()
    assert Notification.objects.get().recipient == team.other_agent.user
    assert Conversation.objects.get(pk=mine.conversation_id).assignee == team.other_agent.user


def test_its_owner_is_warned_of_the_template(team, follow_up):
    FollowUp.objects.update(owner=team.other_agent.user)
    follow_up.refresh_from_db()
    announcements.announce_template_unusable(team.template, [follow_up], now=timezone.now())
    assert Notification.objects.get().recipient == team.other_agent.user


def test_when_an_owners_account_is_removed_it_is_its_creators_again(team, follow_up):
    FollowUp.objects.update(owner=team.other_agent.user)
    team.other_agent.user.delete()
    follow_up.refresh_from_db()
    assert follow_up.in_charge == team.agent.user


def test_owners_cost_the_list_one_query_however_many_they_are(team, django_assert_max_num_queries):
    people = [team.admin.user, team.agent.user, team.other_agent.user]
    now = timezone.now()
    for number in range(12):
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            owner=people[number % 3],
            scheduled_for=now + dt.timedelta(days=7, minutes=number),
        )
    client = signed_in(team.admin)
    client.get("/followups/")
    with django_assert_max_num_queries(15):
        client.get("/followups/")


def test_asking_and_handing_over_cost_a_bounded_number_of_queries(
    team, follow_up, django_assert_max_num_queries
):
    client = signed_in(team.admin)
    path = f"/followups/{follow_up.pk}/hand-over/"
    with django_assert_max_num_queries(8):
        client.get(path, headers=HTMX)
    with django_assert_max_num_queries(20):
        client.post(path, {"to": team.other_agent.user_id}, headers=HTMX)
