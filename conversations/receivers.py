"""What Meta's webhooks say about contacts and their messages.

Each runs inside the transaction of its one event, and may run again for the same event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone

from conversations import consent, recording
from conversations.models import Contact, Direction, EarlyStatus, Message, MessageKind
from conversations.signals import contact_changed, message_received
from trochai.whatsapp import references, verdicts
from trochai.whatsapp.signals import inbound_message, marketing_preference, message_status

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage, MarketingPreference, MessageStatus


@receiver(inbound_message)
def record_message(channel: Channel, event: InboundMessage, **_signal: Any) -> None:
    message = recording.record_inbound(channel=channel, event=event, now=timezone.now())
    if message is not None and message.kind != MessageKind.SYSTEM:
        message_received.send(sender=Message, message=message)


@receiver(contact_changed)
def refresh_search_text(contact: Contact, **_signal: Any) -> None:
    with transaction.atomic():
        # Locked, so that no preview is lost that a message writes at the same moment.
        for conversation in contact.conversations.select_for_update(no_key=True).order_by("pk"):
            conversation.save(update_fields=["search_text"])


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
    verdicts.heed_status(channel, event, now=timezone.now())


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
    """Find the message by Meta's id, or by the composer's reference, which proves that Meta accepted it."""
    messages = Message.objects.filter(channel=channel, direction=Direction.OUTBOUND)
    message = messages.filter(whatsapp_id=event.id).first()
    uuid = references.parse(references.Kind.MESSAGE, event.reference)
    if message is not None or uuid is None:
        return message
    referred = messages.filter(uuid=uuid).first()
    if referred is not None:
        recording.accept(referred, whatsapp_id=event.id)
    return messages.filter(whatsapp_id=event.id).first()
