"""What became of a follow-up stands in its conversation, with the reason and what can be done."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message
from followups import lifecycle
from followups.models import CancelCause, FollowUp, HeldReason
from followups.tasks import send_due_follow_ups
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of


@pytest.fixture
def waiting(team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=timezone.now() - dt.timedelta(minutes=1),
    )


def lines(member, follow_up) -> list[str]:
    html = html_of(signed_in(member).get(f"/inbox/{follow_up.conversation_id}/"))
    found = re.findall(r'<p class="event[^"]*">(.*?)</p>', html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in found]


def test_what_was_scheduled_says_by_whom_and_for_when(team):
    wanted = {
        "template": team.template.pk,
        "submission": uuid.uuid4(),
        "when": "custom",
        "date": (timezone.localdate() + dt.timedelta(days=20)).isoformat(),
        "time": "14:30",
        **{f"p-body-{number}": "x" for number in (1, 2, 3)},
    }
    signed_in(team.agent).post(f"/followups/schedule/{team.conversation.pk}/", wanted)
    (line,) = lines(team.viewer, FollowUp.objects.get())
    assert f"{team.agent.user.name} scheduled visit_reminder for " in line
    assert ", 2:30 PM" in line


def test_a_failure_says_why_and_leads_to_its_retry(team, waiting, meta):
    meta.answer(131026)
    send_due_follow_ups(wake_others=False)
    (line,) = lines(team.agent, waiting)
    assert "Follow-up visit_reminder: Not sent." in line
    assert "(error 131026)" in line
    assert "See and retry" in line
    html = html_of(signed_in(team.agent).get(f"/inbox/{waiting.conversation_id}/"))
    assert f'href="/followups/{waiting.pk}/"' in html
    assert "Retry" in html_of(signed_in(team.agent).get(f"/followups/{waiting.pk}/"))


def test_one_that_was_missed_says_so(team, waiting):
    FollowUp.objects.update(next_attempt_at=timezone.now() - dt.timedelta(hours=9))
    send_due_follow_ups(wake_others=False)
    assert "Missed: it could not be sent within 4 hours" in lines(team.agent, waiting)[0]


def test_an_unknown_outcome_asks_for_a_decision(team, waiting, meta):
    meta.answer((500, "<html></html>"))
    send_due_follow_ups(wake_others=False)
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION * 2)
    (line,) = lines(team.agent, waiting)
    assert "Delivery unknown" in line
    assert line.endswith("Decide")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (CancelCause.REPLY, "canceled: the contact replied."),
        (CancelCause.OPT_OUT, "canceled: the contact no longer wants messages."),
    ],
)
def test_what_the_system_canceled_says_why(team, waiting, cause, said):
    lifecycle.cancel_by_system(FollowUp.objects.all(), cause=cause, now=timezone.now())
    assert said in lines(team.agent, waiting)[0]


def test_what_a_colleague_canceled_names_the_colleague(team, waiting):
    signed_in(team.agent).post(f"/followups/{waiting.pk}/cancel/")
    assert f"canceled by {team.agent.user.name}." in lines(team.other_agent, waiting)[0]


def test_what_is_held_asks_for_a_decision(team, waiting):
    lifecycle.hold(FollowUp.objects.all(), reason=HeldReason.CONTACT, now=timezone.now())
    assert "is on hold" in lines(team.agent, waiting)[0]


def test_a_note_is_no_message(team, waiting):
    """The conversation stays where it is in the list, is not reopened and not unread."""
    rows = Conversation.objects.filter(pk=team.conversation.pk)
    before = rows.values().get()
    signed_in(team.agent).post(f"/followups/{waiting.pk}/cancel/")
    assert rows.values().get() == {**before, "waiting_count": 0}
    assert Message.objects.get().is_note


def test_a_change_that_lost_its_race_leaves_no_note(team, waiting):
    lifecycle.claim(limit=1, now=timezone.now())
    signed_in(team.agent).post(f"/followups/{waiting.pk}/cancel/")
    assert not Message.objects.exists()
