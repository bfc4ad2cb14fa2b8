"""Rows for benchmarks, made in bulk."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from conversations.models import Contact, Conversation
from followups.models import FollowUp
from tests import factories
from trochai.whatsapp.models import Channel


def make_due(count: int, *, messages_per_second: int) -> Channel:
    """Make ``count`` follow-ups that fell due a moment ago, each for a contact of its own."""
    organization = factories.OrganizationFactory()
    channel = factories.ChannelFactory(organization=organization, messages_per_second=messages_per_second)
    template = factories.TemplateFactory(channel=channel, name="visit_reminder")
    creator = factories.MembershipFactory(organization=organization).user
    due_at = timezone.now() - dt.timedelta(seconds=5)
    contacts = Contact.objects.bulk_create(
        [Contact(organization=organization, name=f"Contact {n}", phone=f"+506{n:08}") for n in range(count)],
        batch_size=2000,
    )
    conversations = Conversation.objects.bulk_create(
        [Conversation(organization=organization, channel=channel, contact=contact) for contact in contacts],
        batch_size=2000,
    )
    FollowUp.objects.bulk_create(
        [
            FollowUp(
                organization=organization,
                channel=channel,
                conversation=conversation,
                template=template,
                parameters={"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"},
                shape=template.shape,
                created_by=creator,
                scheduled_for=due_at,
                next_attempt_at=due_at,
            )
            for conversation in conversations
        ],
        batch_size=2000,
    )
    return channel
