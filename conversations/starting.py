"""A conversation with somebody who has not written yet."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from conversations import consent
from conversations.models import Contact, Conversation

if TYPE_CHECKING:
    from trochai.accounts.models import User
    from trochai.whatsapp.models import Channel


def known(channel: Channel, phone: str) -> Conversation | None:
    """Return the conversation that there is on the channel with this number, however it is spelled."""
    contact = Contact.objects.with_number(channel.organization_id, phone)
    if contact is None:
        return None
    rows = Conversation.objects.current().select_related("contact", "assignee")
    return rows.filter(channel=channel, contact=contact).first()


def start(
    channel: Channel, phone: str, *, name: str, now: dt.datetime, agreed_with: User | None = None
) -> Conversation:
    """Return the conversation on the channel with this number (E.164); made, with its contact, if need be.

    ``name`` is for a contact that has none. ``agreed_with`` is the member who says that they agreed to get
    messages.
    """
    try:
        with transaction.atomic():
            conversation = _start(channel, phone, name, now)
    except IntegrityError:  # a colleague or a webhook made one of them meanwhile
        conversation = _start(channel, phone, name, now)
    if agreed_with is not None:
        consent.agree(conversation.contact, with_member=agreed_with, at=now)
    return conversation


def _start(channel: Channel, phone: str, name: str, now: dt.datetime) -> Conversation:
    contact = Contact.objects.with_number(channel.organization_id, phone)
    if contact is None:
        contact = Contact.objects.create(organization_id=channel.organization_id, phone=phone, name=name)
    elif name and not contact.name:
        contact.name = name
        contact.save()
    conversation, _created = Conversation.objects.get_or_create(
        channel=channel,
        contact=contact,
        defaults={
            "organization_id": channel.organization_id,
            "last_message_at": now,
            "created_at": now,
            "is_only_started": True,
        },
    )
    return conversation
