"""Follow-ups to send, and moving their times back instead of waiting."""

from __future__ import annotations

import datetime as dt

from django.db.models import F
from django.utils import timezone

from conversations.models import Contact, Conversation
from followups.models import FollowUp, Status, Tick
from tests import factories
from trochai.whatsapp.models import Channel, WebhookDelivery

# Messages a second.
RATE = 200


def make_channel(*, messages_per_second: int = RATE) -> Channel:
    """Make a number with an approved template, and a member who schedules."""
    channel = factories.ChannelFactory(messages_per_second=messages_per_second)
    factories.TemplateFactory(channel=channel)
    factories.MembershipFactory(organization=channel.organization)
    return channel


def make_follow_ups(channel: Channel, count: int, *, due_for: dt.timedelta = dt.timedelta()) -> list[int]:
    """Schedule ``count`` follow-ups, each for a contact of its own; return their ids."""
    organization = channel.organization
    due_at = timezone.now() - due_for
    template = channel.templates.get()
    creator = organization.memberships.get().user
    first = 10_000_000 + Contact.objects.count()
    contacts = Contact.objects.bulk_create(
        Contact(organization=organization, name=f"Contact {n}", phone=f"+506{n}")
        for n in range(first, first + count)
    )
    conversations = Conversation.objects.bulk_create(
        Conversation(organization=organization, channel=channel, contact=contact, waiting_count=1)
        for contact in contacts
    )
    follow_ups = FollowUp.objects.bulk_create(
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
    )
    return [follow_up.pk for follow_up in follow_ups]


def make_talks(channel: Channel, count: int) -> list[Conversation]:
    """Make conversations in which the contact has just written."""
    first = 20_000_000 + Contact.objects.count()
    contacts = Contact.objects.bulk_create(
        Contact(organization=channel.organization, name=f"Contact {n}", phone=f"+506{n}")
        for n in range(first, first + count)
    )
    return Conversation.objects.bulk_create(
        Conversation(
            organization=channel.organization,
            channel=channel,
            contact=contact,
            last_inbound_at=timezone.now(),
        )
        for contact in contacts
    )


def expire_leases() -> None:
    """As if two minutes had passed since the rows were claimed."""
    held = FollowUp.objects.filter(status=Status.PROCESSING)
    held.update(lease_expires_at=F("lease_expires_at") - dt.timedelta(minutes=3))


def age_last_tick(**ago: float) -> None:
    """As if the last tick had been so long ago."""
    Tick.objects.update(at=F("at") - dt.timedelta(**ago))


def end_reconciliation() -> None:
    """As if ten minutes had passed since the calls began whose outcome is unknown."""
    unknown = FollowUp.objects.filter(status=Status.PROCESSING, requested_at__isnull=False)
    unknown.update(reconcile_until=F("reconcile_until") - dt.timedelta(minutes=11))


def make_retries_due() -> None:
    """As if the next automatic retry's time had come."""
    FollowUp.objects.filter(status=Status.PENDING, failures__gt=0).update(
        next_attempt_at=timezone.now() - dt.timedelta(seconds=1)
    )


def make_webhooks_due() -> None:
    """As if the next try had come for webhooks whose processing failed, or whose worker died."""
    WebhookDelivery.objects.filter(processed_at__isnull=True).update(next_attempt_at=timezone.now())
