"""The mark in the inbox list beside a conversation that has follow-ups waiting.

That every other test leaves the counts right is seen to by the fixture ``counted``.
"""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.urls import reverse

from conversations.models import Conversation
from followups import tasks
from followups.lifecycle import counts
from followups.models import FollowUp, Status
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

MARK = 'aria-label="Follow-up scheduled"'


def marks(team: Team) -> int:
    return html_of(signed_in(team.viewer).get(reverse("conversations:inbox"))).count(MARK)


def made(team: Team, status: Status = Status.PENDING) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization, conversation=team.conversation, template=team.template, status=status
    )


def make_three(team: Team) -> None:
    """Two of them wait."""
    for status in (Status.PENDING, Status.PENDING, Status.FAILED):
        made(team, status)


@pytest.mark.parametrize("status", Status)
def test_only_what_still_waits_or_is_being_sent_is_marked(team: Team, status: Status) -> None:
    made(team, status)
    factories.ConversationFactory(organization=team.organization, channel=team.channel)
    assert marks(team) == (1 if status in {Status.PENDING, Status.PROCESSING} else 0)


@pytest.mark.parametrize("wrong", [-1, 0, 7])
def test_a_count_that_went_wrong_is_corrected_at_night(team: Team, wrong: int, monkeypatch) -> None:
    monkeypatch.setattr(counts, "RECOUNT_CHUNK", 2)
    make_three(team)
    for _each in range(4):
        factories.ConversationFactory(organization=team.organization, channel=team.channel)
    Conversation.objects.update(waiting_count=wrong)
    tasks.recount_waiting_follow_ups()
    assert marks(team) == 1  # and the fixture compares each count


def test_what_waited_before_an_update_is_counted_by_it(team: Team) -> None:
    make_three(team)
    Conversation.objects.update(waiting_count=0)
    import_module("followups.migrations.0017_count_what_waits").count(apps, None)
    assert marks(team) == 1
