"""Writes messages and what becomes of them into the history.

Every function here works in its caller's transaction and is safe against a second caller that does the
same at that moment: rows are changed by conditional UPDATEs, never by reading and writing back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Concat, Greatest

from conversations import consent, identity, merging, triage, wording
from conversations.kinds import kind_of
from conversations.models import (
    Attachment,
    Contact,
    Conversation,
    Delivery,
    Direction,
    EarlyStatus,
    Message,
    MessageKind,
    OptOutSource,
)
from conversations.signals import message_status_changed
from templates_app.rendering import text_of
from trochai.search import BETWEEN_PARTS, fold_numbers
from trochai.whatsapp.cloud_api.errors import opts_out
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.webhooks.parsing import STANDBY

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage, MessageEcho, MessageStatus

_BEFORE_META = (Delivery.SENDING, Delivery.UNKNOWN)
# What each status may follow. Meta promises no order and may skip "delivered" when "read" comes;
# it never delivers what it has called failed, nor fails what it has delivered.
MAY_FOLLOW: dict[Delivery, tuple[Delivery, ...]] = {
    Delivery.ACCEPTED: _BEFORE_META,
    Delivery.SENT: (*_BEFORE_META, Delivery.ACCEPTED),
    Delivery.DELIVERED: (*_BEFORE_META, Delivery.ACCEPTED, Delivery.SENT),
    Delivery.READ: (*_BEFORE_META, Delivery.ACCEPTED, Delivery.SENT, Delivery.DELIVERED),
    Delivery.PLAYED: (*_BEFORE_META, Delivery.ACCEPTED, Delivery.SENT, Delivery.DELIVERED, Delivery.READ),
    Delivery.FAILED: (*_BEFORE_META, Delivery.ACCEPTED, Delivery.SENT),
}
NO_FAILURE = Failure()


@dataclass(frozen=True)
class TemplateRecord:
    """A template message that Meta has accepted, to be written into a conversation's history.

    ``content`` is the message in its parts: ``RenderedTemplate.as_dict``.
    """

    conversation: Conversation
    content: Mapping[str, Any]
    template_name: str
    language: str
    whatsapp_id: str
    sent_by_id: int | None
    attempt: UUID | None = None
    # The user who gets the conversation if nobody has it or it is closed.
    returns_to: int | None = None
    # Until now it was one of those that the conversation's ``waiting_count`` counts.
    has_waited: bool = False

    @property
    def preview(self) -> str:
        """The message as the conversation list shows it."""
        return one_line(self.content["body"]) or self.template_name[:200]

    def message(self, *, at: dt.datetime, delivery: Delivery = Delivery.ACCEPTED) -> Message:
        """Return the message as the contact sees it, not saved."""
        return Message(
            conversation=self.conversation,
            channel_id=self.conversation.channel_id,
            direction=Direction.OUTBOUND,
            kind=MessageKind.TEMPLATE,
            text=text_of(self.content),
            content=self.content,
            template_name=self.template_name,
            language=self.language,
            whatsapp_id=self.whatsapp_id,
            delivery=delivery,
            sent_by_id=self.sent_by_id,
            attempt=self.attempt,
            at=at,
        )


class ContactErased(Exception):
    """The contact was erased while something of theirs was read: read again, it is somebody new's."""


def record_template(
    record: TemplateRecord, *, at: dt.datetime, delivery: Delivery = Delivery.ACCEPTED
) -> Message:
    """Write a template message into the history.

    Statuses that came before it was recorded are applied to it without ``message_status_changed``:
    the returned message's ``delivery`` may already be DELIVERED, or FAILED with its ``failure``.
    Raises ``IntegrityError`` when its attempt or id is recorded already.
    """
    message = record.message(at=at, delivery=delivery)
    for place in merging.current([record.conversation.pk]).values():
        message.conversation_id = place
    message.save(force_insert=True)
    move_conversation(message, preview=record.preview)
    triage.give_back(message.conversation_id, to=record.returns_to)
    if record.has_waited:
        row = Conversation.objects.filter(pk=message.conversation_id)
        row.update(waiting_count=F("waiting_count") - 1)
    apply_early_statuses(message)
    return message


def record_inbound(*, channel: Channel, event: InboundMessage, now: dt.datetime) -> Message | None:
    """Write a contact's message into the history; None when it is there already.

    Contact and conversation are found or made. What it does to the conversation is its kind's
    (``conversations.kinds``).
    """
    if is_recorded(channel, event.id):
        return None
    contact = identity.sender_of(channel, event, now=now)
    conversation = _conversation_of(channel, contact, at=event.at, now=now)
    return _saved(received(channel, conversation, event, now=now))


def record_notice(*, channel: Channel, contact: Contact, event: InboundMessage, now: dt.datetime) -> None:
    """Write what WhatsApp says of a contact into the thread, as a note."""
    conversation = _conversation_of(channel, contact, at=event.at, now=now)
    message = received(channel, conversation, event, now=now)
    message.direction = Direction.NOTE
    _insert(message)


def received(
    channel: Channel, conversation: Conversation, event: InboundMessage, *, now: dt.datetime
) -> Message:
    """Return a contact's message as it stands in the history, not saved."""
    return Message(
        conversation=conversation,
        channel=channel,
        direction=Direction.INBOUND,
        kind=event.kind[:32],
        text=event.text,
        content=event.content,
        whatsapp_id=event.id,
        at=event.at,
        created_at=now,
    )


def is_recorded(channel: Channel, whatsapp_id: str) -> bool:
    return Message.objects.filter(channel=channel, whatsapp_id=whatsapp_id).exists()


def _saved(message: Message) -> Message | None:
    if not _insert(message):
        return None
    move_conversation(message, preview=one_line(message.text))
    return message


def _insert(message: Message) -> bool:
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        if is_recorded(message.channel, message.whatsapp_id):
            return False  # Meta delivered it twice at the same moment, and the other one won
        raise
    # The conversation's row is held by now: whoever erases comes before this, or after it.
    if Conversation.objects.filter(pk=message.conversation_id, erased_at__isnull=False).exists():
        raise ContactErased
    return True


def _conversation_of(
    channel: Channel, contact: Contact, *, at: dt.datetime, now: dt.datetime
) -> Conversation:
    conversation, _created = Conversation.objects.get_or_create(
        channel=channel,
        contact=contact,
        defaults={"organization_id": channel.organization_id, "last_message_at": at, "created_at": now},
    )
    return conversation


def record_echo(*, channel: Channel, event: MessageEcho, now: dt.datetime) -> Message | None:
    """Write what a colleague sent from the WhatsApp Business app; None when it is there already."""
    if is_recorded(channel, event.id):
        return None
    contact = identity.contact_of(channel, identity.Names(event.at, event.to_phone, event.to_user_id))
    message = Message(
        conversation=_conversation_of(channel, contact, at=event.at, now=now),
        channel=channel,
        direction=Direction.OUTBOUND,
        kind=event.kind[:32],
        text=event.text,
        content={**event.content, "echo": True},
        whatsapp_id=event.id,
        delivery=Delivery.SENT,
        at=event.at,
        created_at=now,
    )
    return _saved(message)


def edit(original: Message, event: InboundMessage) -> bool:
    """Show the text that the contact has put in the place of the old one; False if that is no news."""
    unheard = Q(edited_at__isnull=True) | Q(edited_at__lt=event.at)
    # What it answers, from which ad it came, and who answered meanwhile, stays.
    around = {
        key: original.content[key] for key in ("context", "referral", STANDBY) if key in original.content
    }
    words = {"text": event.text, "content": {**around, **event.content}, "edited_at": event.at}
    if not Message.objects.filter(unheard, pk=original.pk, revoked_at__isnull=True).update(**words):
        return False
    _summarize_again(original, preview=one_line(event.text), kind=original.kind)
    return True


def revoke(original: Message, *, at: dt.datetime) -> bool:
    """The contact has deleted it: what it said is forgotten. False if that was known."""
    forgotten = {"text": "", "content": {}, "revoked_at": at}
    if not Message.objects.filter(pk=original.pk, revoked_at__isnull=True).update(**forgotten):
        return False
    Attachment.objects.filter(message=original).delete()
    _summarize_again(original, preview="", kind=wording.REVOKED)
    return True


def react(message: Message, *, emoji: str, at: dt.datetime) -> bool:
    """Show the contact's reaction beside a message of either side; an empty one takes it back."""
    unheard = Q(reacted_at__isnull=True) | Q(reacted_at__lt=at)
    reaction = {"reaction": emoji[:64], "reacted_at": at}
    return bool(Message.objects.filter(unheard, pk=message.pk).update(**reaction))


def _summarize_again(message: Message, *, preview: str, kind: str) -> None:
    """Change the conversation's summary, if it is this message that it shows."""
    shown = Conversation.objects.filter(
        pk=message.conversation_id, last_message_at=message.at, preview_is_outbound=message.is_outbound
    )
    shown.update(preview=preview, preview_kind=kind, search_text=_with_contact(preview))


def advance(
    message: Message,
    *,
    status: str,
    at: dt.datetime,
    failure: Failure = NO_FAILURE,
    pricing: Mapping[str, Any] | None = None,
) -> bool:
    """Move a message's delivery forward to ``status``; False where that would be no step forward.

    Emits ``message_status_changed`` when it moved. A status that Meta may invent later is ignored.
    """
    if not _advance(message, status=status, at=at, failure=failure, pricing=pricing):
        return False
    message_status_changed.send(sender=Message, message=message, at=at)
    return True


def follow(message: Message, news: MessageStatus | EarlyStatus) -> bool:
    """``advance`` by what a webhook says, now or as it was kept."""
    return advance(message, status=news.status, at=news.at, failure=news.failure, pricing=news.pricing)


def accept(message: Message, *, whatsapp_id: str) -> bool:
    """Settle a composer's message as accepted by Meta; False if that was done before.

    Also if it was unknown or failed: an id from Meta is proof, whoever learns it first.
    """
    if not whatsapp_id:
        return False
    unproved = Message.objects.filter(
        pk=message.pk, whatsapp_id="", delivery__in=(*_BEFORE_META, Delivery.FAILED)
    )
    proved = {"whatsapp_id": whatsapp_id, "delivery": Delivery.ACCEPTED}
    if not unproved.update(**proved, **NO_FAILURE.columns("error")):
        return False
    show_failure([message.pk], failed=False)
    return True


def show_failure(message_ids: Collection[int], *, failed: bool) -> None:
    """Have the list say whether they were not sent, where one of these messages is the last."""
    messages = Message.objects.filter(pk__in=message_ids)
    last = messages.filter(conversation=OuterRef("pk"), at=OuterRef("last_message_at"))
    concerned = Conversation.objects.filter(Exists(last), pk__in=messages.values("conversation"))
    concerned.update(last_has_failed=failed)


def apply_early_statuses(message: Message) -> None:
    """Apply the statuses that came before ``message`` was recorded, and forget them. No signal is sent."""
    early = EarlyStatus.objects.filter(channel_id=message.channel_id, whatsapp_id=message.whatsapp_id)
    for status in early.order_by("pk"):
        _advance(message, status=status.status, at=status.at, failure=status.failure, pricing=status.pricing)
        status.delete()


def move_conversation(message: Message, *, preview: str) -> None:
    """Show ``message`` in the conversation's summary, unless that already shows a later one."""
    outbound, kind = message.is_outbound, kind_of(message.kind)
    always: dict[str, Any] = {}
    if outbound:
        always = {"last_outbound_at": latest_of("last_outbound_at", message.at)}
    elif kind.opens_window:
        always = {"last_inbound_at": latest_of("last_inbound_at", message.at)}
    if not outbound and kind.is_answer:
        always |= {
            "unread_count": F("unread_count") + 1,
            "status": triage.REOPENED,
        }
    row = Conversation.objects.filter(pk=message.conversation_id)
    moved = row.filter(Q(last_message_at__lte=message.at) | Q(preview_kind="")).update(
        last_message_at=message.at,
        preview=preview[:200],
        search_text=_with_contact(preview[:200]),
        preview_is_outbound=outbound,
        preview_kind=message.shown_kind,
        last_has_failed=message.delivery == Delivery.FAILED,
        **always,
    )
    if not moved and always:
        row.update(**always)


def latest_of(field: str, moment: dt.datetime) -> Greatest:
    """Return the later of what ``field`` has, if anything, and ``moment``."""
    return Greatest(Coalesce(field, Value(moment)), Value(moment))


def _with_contact(preview: str) -> Concat:
    contact_text = Subquery(Contact.objects.filter(pk=OuterRef("contact_id")).values("search_text"))
    return Concat(contact_text, Value(preview_text(preview)))


def preview_text(preview: str) -> str:
    """Return the preview's part of a conversation's search text; the contact's part stands before it."""
    return BETWEEN_PARTS + fold_numbers(preview)


def one_line(text: str) -> str:
    """Return ``text`` as the conversation list shows it: on one line, at most 200 characters."""
    return " ".join(text.split())[:200]


def _advance(
    message: Message,
    *,
    status: str,
    at: dt.datetime,
    failure: Failure,
    pricing: Mapping[str, Any] | None,
) -> bool:
    try:
        delivery = Delivery(status)
        before = MAY_FOLLOW[delivery]
    except (ValueError, KeyError):
        return False
    failed = delivery == Delivery.FAILED
    fields = {"delivery": delivery, **(failure if failed else NO_FAILURE).columns("error")}
    if pricing:
        fields["pricing"] = dict(pricing)
    if not Message.objects.filter(pk=message.pk, delivery__in=before).update(**fields):
        return False
    for name, value in fields.items():
        setattr(message, name, value)
    if failed:
        show_failure([message.pk], failed=True)
    if failed and opts_out(failure.code):
        consent.opt_out(message.conversation.contact, at=at, source=OptOutSource.REFUSAL, now=at)
    return True
