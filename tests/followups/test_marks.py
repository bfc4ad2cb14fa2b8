from __future__ import annotations

import pytest
from django.urls import reverse

from followups.marks import waiting_in
from followups.models import Status
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of


@pytest.mark.parametrize("status", Status)
def test_only_what_still_waits_or_is_being_sent_is_marked(team: Team, status: Status) -> None:
    factories.FollowUpFactory(organization=team.organization, conversation=team.conversation, status=status)
    other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    marked = waiting_in([team.conversation.pk, other.pk])
    assert marked == ({team.conversation.pk} if status in {Status.PENDING, Status.PROCESSING} else set())


def test_the_inbox_list_shows_the_mark(team: Team) -> None:
    factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)
    html = html_of(signed_in(team.viewer).get(reverse("conversations:inbox")))
    assert 'aria-label="Follow-up scheduled"' in html
