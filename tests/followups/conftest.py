from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from followups.models import FollowUp
from tests import factories
from trochai.whatsapp.models import Channel


@pytest.fixture
def due(team):
    """Return a function that schedules a follow-up some minutes ago, for a contact of its own unless told."""

    def make(minutes: float = 1, *, channel: Channel = team.channel, **fields) -> FollowUp:
        conversation = fields.pop("conversation", None) or factories.ConversationFactory(
            organization=team.organization, channel=channel
        )
        return factories.FollowUpFactory(
            **{
                "organization": team.organization,
                "conversation": conversation,
                "template": team.template,
                "created_by": team.agent.user,
                "scheduled_for": timezone.now() - dt.timedelta(minutes=minutes),
                **fields,
            }
        )

    return make
