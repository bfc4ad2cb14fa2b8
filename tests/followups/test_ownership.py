"""Whose a conversation is once a follow-up has gone out in it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Conversation
from followups import announcements
from followups.models import FollowUp
from notifications.models import Notification
from tests.followups.engine import tick

pytestmark = pytest.mark.django_db


def as_now(follow_up) -> tuple[str, int | None]:
    conversation = Conversation.objects.get(pk=follow_up.conversation_id)
    return conversation.status, conversation.assignee_id


def give(follow_up, assignee=None, status="open") -> None:
    conversations = Conversation.objects.filter(pk=follow_up.conversation_id)
    conversations.update(assignee=assignee and assignee.user, status=status)


@pytest.mark.parametrize("status", ["open", "in_progress"])
def test_one_that_nobody_has_comes_back_to_whoever_scheduled_it(team, due, meta, status):
    follow_up = due()
    give(follow_up, status=status)
    tick()
    assert as_now(follow_up) == (status, team.agent.user_id)


def test_a_closed_one_is_opened_for_whoever_scheduled_it(team, due, meta):
    mine, theirs = due(), due()
    give(mine, team.agent, status="closed")
    give(theirs, team.other_agent, status="closed")
    tick()
    assert as_now(mine) == as_now(theirs) == ("open", team.agent.user_id)


def test_where_a_colleague_has_it_both_are_told_and_the_colleague_keeps_it(team, due, meta):
    follow_up = due()
    give(follow_up, team.other_agent)
    tick()
    assert as_now(follow_up) == ("open", team.other_agent.user_id)
    told = {notice.recipient_id: notice.values for notice in Notification.objects.all()}
    assert set(told) == {team.agent.user_id, team.other_agent.user_id}
    assert told[team.other_agent.user_id]["by"] == str(team.agent.user)


def test_whoever_has_it_already_is_told_once(team, due, meta):
    follow_up = due()
    give(follow_up, team.agent)
    tick()
    assert as_now(follow_up) == ("open", team.agent.user_id)
    assert Notification.objects.get().recipient == team.agent.user


def test_nothing_changes_where_the_organization_does_not_want_it(team, due, meta):
    team.organization.returns_to_scheduler = False
    team.organization.save()
    closed, other = due(), due()
    give(closed, status="closed")
    give(other, team.other_agent)
    tick()
    assert as_now(closed) == ("closed", None)
    assert set(Notification.objects.values_list("recipient", flat=True)) == {team.agent.user_id}


@pytest.mark.parametrize("gone", ["left", "may only look"])
def test_it_does_not_come_back_to_somebody_who_cannot_answer(team, due, meta, gone):
    follow_up = due()
    if gone == "left":
        team.agent.delete()
    else:
        team.agent.role = "viewer"
        team.agent.save()
    tick()
    assert as_now(follow_up) == ("open", None)


def test_what_was_not_sent_changes_nothing(team, due, meta):
    meta.answer(131026)
    follow_up = due()
    give(follow_up, status="closed")
    tick()
    assert as_now(follow_up) == ("closed", None)


def test_colleagues_are_told_in_as_many_statements_however_many_they_are(team, due):
    """Rows as a worker holds them: it has not read who scheduled them."""
    follow_ups = [due() for _ in range(6)]
    for follow_up in follow_ups:
        give(follow_up, team.other_agent)
    held = list(FollowUp.objects.select_related("organization", "template", "conversation__contact"))
    counts = []
    for group in (held[:2], held[2:]):
        with CaptureQueriesContext(connection) as queries:
            announcements.announce_sent(group, now=timezone.now())
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert Notification.objects.filter(recipient=team.other_agent.user).count() == 6
