"""What Meta's webhooks say about contacts and their messages.

Each runs inside the transaction of its one event, and may run again for the same event.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from django.dispatch import receiver
from django.utils import timezone

from conversations import consent, recording
from conversations.models import Contact, Delivery, Direction, EarlyStatus, Message
from conversations.signals import message_received
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api import errors
from trochai.whatsapp.signals import inbound_message, marketing_preference, message_status

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage, MarketingPreference, MessageStatus

PREFIX = "message:"
# An older failure may be repaired by now.
STOP_WITHIN = dt.timedelta(minutes=15)


@receiver(inbound_message)
def record_message(channel: Channel, event: InboundMessage, **_signal: Any) -> None:
    message = recording.record_inbound(channel=channel, event=event, now=timezone.now())
    if message is not None and message.kind != recording.SYSTEM:
        message_received.send(sender=Message, message=message)


@receiver(message_status)
def follow_message(channel: Channel, event: MessageStatus, **_signal: Any) -> None:
    """Move the message's ticks; keep the status where the message is not recorded yet."""
    message = _message_of(channel, event)
    if message is not None:
        recording.follow(message, event)
        return
    early = EarlyStatus(
        channel=channel,
        whatsapp_id=event.id,
        status=event.status[:16],
        at=event.at,
        **event.failure.columns("error"),
    )
    EarlyStatus.objects.bulk_create([early], ignore_conflicts=True)


@receiver(message_status)
def stop_channel(channel: Channel, event: MessageStatus, **_signal: Any) -> None:
    """What Meta accepted may fail later for the whole number's sake: a billing problem, a restriction."""
    now = timezone.now()
    is_news = now - event.at < STOP_WITHIN
    if event.status == Delivery.FAILED and is_news and errors.stops_channel(event.failure.code):
        channels.stop(channel.pk, failure=event.failure, now=now)


@receiver(marketing_preference)
def remember_preference(channel: Channel, event: MarketingPreference, **_signal: Any) -> None:
    contact = Contact.objects.reachable_as(
        organization_id=channel.organization_id, phone=event.phone, user_id=event.user_id
    )
    if contact is None:
        return
    if event.opted_out:
        consent.opt_out(contact, at=event.at, now=timezone.now())
    else:
        consent.opt_in(contact, at=event.at)


def _message_of(channel: Channel, event: MessageStatus) -> Message | None:
    """Find the message by Meta's id, or by the composer's own reference, which proves that Meta has it."""
    messages = Message.objects.filter(channel=channel, direction=Direction.OUTBOUND)
    message = messages.filter(whatsapp_id=event.id).first()
    if message is not None or not event.reference.startswith(PREFIX):
        return message
    try:
        reference = uuid.UUID(event.reference.removeprefix(PREFIX))
    except ValueError:
        return None
    referred = messages.filter(uuid=reference).first()
    if referred is not None:
        recording.accept(referred, whatsapp_id=event.id)
    return messages.filter(whatsapp_id=event.id).first()
