"""What Meta's webhooks say about contacts and their messages.

Each runs inside the transaction of its one event, and may run again for the same event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from conversations import bulk_messages, bulk_statuses, consent, identity, recording
from conversations.identity import Names
from conversations.kinds import Becomes, kind_of
from conversations.media import discarding, expecting
from conversations.models import (
    Attachment,
    Contact,
    Direction,
    EarlyStatus,
    Message,
    OptOutSource,
    StoredFile,
    Upload,
)
from conversations.signals import contact_changed, messages_received
from trochai.whatsapp import groups, references, verdicts
from trochai.whatsapp.signals import (
    inbound_message,
    marketing_preference,
    message_echo,
    message_status,
    portfolio_known,
)
from trochai.whatsapp.webhooks import deliveries
from trochai.whatsapp.webhooks.parsing import InboundMessage, MessageStatus

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import MarketingPreference, MessageEcho

logger = structlog.get_logger(__name__)


@receiver(inbound_message)
def record_message(channel: Channel, event: InboundMessage, **_signal: Any) -> None:
    if event.in_group:
        groups.count(channel, at=event.at)
    kind = kind_of(event.kind, in_group=event.in_group)
    match kind.becomes:
        case Becomes.BUBBLE:
            _record(channel, event, is_answer=kind.is_answer)
        case Becomes.EVENT:
            _note(channel, event)
        case Becomes.EDIT | Becomes.REVOCATION | Becomes.REACTION:
            _change(channel, event, kind.becomes)
        case Becomes.NOTHING:
            logger.info("message_left_out", channel=channel.pk, kind=event.kind, in_group=event.in_group)


def _record(channel: Channel, event: InboundMessage, *, is_answer: bool) -> None:
    message = recording.record_inbound(channel=channel, event=event, now=timezone.now())
    if message is not None and is_answer:
        messages_received.send(sender=Message, messages=[message])


def _note(channel: Channel, event: InboundMessage) -> None:
    """Record what WhatsApp says of somebody who is known here, once, and move the person if it says so."""
    if recording.is_recorded(channel, event.id):
        return
    now, names = timezone.now(), Names(event.at, event.from_phone, event.from_user_id, event.parent_user_id)
    if event.moved_to_phone or event.moved_to_user_id:
        contact = identity.move(
            channel, names, phone=event.moved_to_phone, user_id=event.moved_to_user_id, now=now
        )
    else:
        contact = identity.find(channel, names)
    if contact is not None:
        recording.record_notice(channel=channel, contact=contact, event=event, now=now)


def _change(channel: Channel, event: InboundMessage, becomes: Becomes) -> None:
    """Change the message that the event is about; one from before this number came here is left alone."""
    about = Message.objects.filter(channel=channel, whatsapp_id=event.about) if event.about else None
    # A contact changes what the contact has written, and reacts to either side.
    if about is not None and becomes is not Becomes.REACTION:
        about = about.filter(direction=Direction.INBOUND)
    original = about.first() if about is not None else None
    if original is None:
        logger.info("message_not_here", channel=channel.pk, kind=event.kind)
    elif becomes is Becomes.EDIT:
        recording.edit(original, event)
    elif becomes is Becomes.REVOCATION:
        recording.revoke(original, at=event.at)
    else:
        recording.react(original, emoji=event.text, at=event.at)


@receiver(message_echo)
def record_echo(channel: Channel, event: MessageEcho, **_signal: Any) -> None:
    message = recording.record_echo(channel=channel, event=event, now=timezone.now())
    if message is not None:
        expecting.expect([message])


@receiver(messages_received)
def expect_files(messages: Sequence[Message], **_signal: Any) -> None:
    expecting.expect(messages)


@receiver(post_delete, sender=Upload)
@receiver(post_delete, sender=Attachment)
def discard_files(instance: StoredFile, **_signal: Any) -> None:
    discarding.discard(instance)


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
        _learn_spelling(channel, message, event)
        return
    early = EarlyStatus(
        channel=channel,
        whatsapp_id=event.id,
        status=event.status[:16],
        at=event.at,
        pricing=event.pricing,
        **event.failure.columns("error"),
    )
    EarlyStatus.objects.bulk_create([early], ignore_conflicts=True)


def _learn_spelling(channel: Channel, message: Message, event: MessageStatus) -> None:
    """The answer to the send may have been lost. A number with another ending has moved since."""
    phone = message.conversation.contact.phone
    if event.phone[-6:] == phone[-6:]:
        identity.learn_wa_id(channel, sent_to=phone, wa_id=event.phone)


@receiver(message_status)
def learn_recipient(channel: Channel, event: MessageStatus, **_signal: Any) -> None:
    """Meta may tell number and user id of a recipient together: later one of them may come alone."""
    if not (event.phone and event.user_id):
        return
    names = identity.names_of_recipient(event)
    contact = identity.find(channel, names)
    if contact is not None:
        identity.learn(channel, contact, names, now=timezone.now())


@receiver(message_status)
def stop_channel(channel: Channel, event: MessageStatus, **_signal: Any) -> None:
    verdicts.heed_status(channel, event, now=timezone.now())


def _record_plain(channel: Channel, events: Sequence[InboundMessage]) -> list[InboundMessage]:
    return bulk_messages.record_plain(channel, events, now=timezone.now())


# Plain ones are taken together before the receivers above get what is left.
deliveries.taken_together[InboundMessage] = _record_plain
deliveries.taken_together[MessageStatus] = bulk_statuses.follow_plain


@receiver(marketing_preference)
def remember_preference(channel: Channel, event: MarketingPreference, **_signal: Any) -> None:
    contact = identity.find(channel, Names(event.at, event.phone, event.user_id))
    if contact is None:
        return
    if event.opted_out:
        consent.opt_out(contact, at=event.at, source=OptOutSource.WHATSAPP, now=timezone.now())
    else:
        consent.opt_in(contact, at=event.at)


@receiver(portfolio_known)
def widen_ids(channel: Channel, before: str, **_signal: Any) -> None:
    identity.rescope(channel.organization_id, before=before, portfolio=channel.portfolio, now=timezone.now())


def _message_of(channel: Channel, event: MessageStatus) -> Message | None:
    """Find the message by Meta's id, or by the composer's reference, which proves that Meta accepted it."""
    messages = Message.objects.filter(channel=channel, direction=Direction.OUTBOUND)
    messages = messages.select_related("conversation__contact")
    message = messages.filter(whatsapp_id=event.id).first()
    uuid = references.parse(references.Kind.MESSAGE, event.reference)
    if message is not None or uuid is None:
        return message
    referred = messages.filter(uuid=uuid).first()
    if referred is not None:
        recording.accept(referred, whatsapp_id=event.id)
    return messages.filter(whatsapp_id=event.id).first()
