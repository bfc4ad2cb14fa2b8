"""Sends what people write in the composer, under the same rules as follow-ups.

A message is written durably before the call and never sent twice: if nobody saw how the call ended, it is
"delivery unknown", and a person decides. No transaction is open during a call.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid as uuids
from typing import TYPE_CHECKING

import structlog
from django.db import transaction
from django.db.models import OuterRef, Q
from django.utils.translation import gettext_lazy

from conversations import recording, window
from conversations.models import Conversation, Delivery, Direction, Message, MessageKind
from trochai.clock import database_now
from trochai.whatsapp import rate, references, verdicts
from trochai.whatsapp.cloud_api.client import Accepted, client_for
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Cause, Failure
from trochai.whatsapp.models import has_unread

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from trochai.accounts.models import User
    from trochai.whatsapp.models import Channel

logger = structlog.get_logger(__name__)

# How long a person's message waits for a free slot on the channel's line.
PATIENCE = dt.timedelta(seconds=2)
# After this a call that never came back counts as unknown: longer than any call's own deadline.
GIVE_UP_AFTER = dt.timedelta(minutes=10)
UNREAD_FOR = dt.timedelta(minutes=60)


class ReplyRefused(Exception):
    """The message was not written, let alone sent.

    ``code`` says why, and ``str()`` in the language of whoever reads it.
    """

    code = "elsewhere"
    words: Promise = gettext_lazy("This message can’t be sent. Reload the page and try again.")

    def __str__(self) -> str:
        return str(self.words)


class WindowClosed(ReplyRefused):
    """The contact's last message is more than 24 hours old: only templates may be sent."""

    code = "window_closed"
    words = gettext_lazy("The 24-hour window is closed. Send a template or schedule a follow-up.")


class ChannelStopped(ReplyRefused):
    """The channel's token, number or account cannot be used at present."""

    code = "channel_stopped"
    words = gettext_lazy("The WhatsApp channel is stopped: %(reason)s")

    def __init__(self, stop: Failure) -> None:
        super().__init__()
        self.stop = stop

    def __str__(self) -> str:
        return str(self.words) % {"reason": self.stop.words()}


class MayHaveArrived(ReplyRefused):
    """The first message's outcome is unknown; sending it again needs a person's decision."""

    code = "may_have_arrived"
    words = gettext_lazy("It may already have arrived. Look at the chat on a phone first.")


class CannotBeRepeated(ReplyRefused):
    """It did not fail, or it is no text."""

    code = "cannot_be_repeated"
    words = gettext_lazy("This message can’t be sent again.")


def send_reply(
    *,
    conversation: Conversation,
    text: str,
    by: User,
    now: dt.datetime,
    uuid: uuids.UUID | None = None,
) -> Message:
    """Send free-form text and return the message, whatever came of it: see its ``delivery``.

    A second time, the same ``uuid`` returns the first message, without a second call. Raises
    ``WindowClosed``, ``ChannelStopped`` or ``ReplyRefused``, and then nothing was written. Waits up to
    2 seconds for the channel's line and then as long as the call takes; not to be called in a transaction.
    """
    uuid = uuid or uuids.uuid4()
    existing = _existing(conversation, uuid)
    if existing is not None:
        return existing
    if not window.is_open(conversation, now):
        raise WindowClosed
    if conversation.channel.is_stopped:
        raise ChannelStopped(conversation.channel.stop)
    message, created = _mark(conversation=conversation, text=text, by=by, now=now, uuid=uuid)
    if created:
        _send(message)
        message.refresh_from_db()
    return message


def retry_reply(message: Message, *, by: User, now: dt.datetime, anyway: bool = False) -> Message:
    """Send a failed message once more, as a new one; the same retry twice makes one message.

    Raises ``MayHaveArrived`` for one whose outcome is unknown unless ``anyway``, ``ReplyRefused`` for one
    that did not fail, and what ``send_reply`` raises.
    """
    if message.delivery == Delivery.UNKNOWN and not anyway:
        raise MayHaveArrived
    if message.delivery not in {Delivery.FAILED, Delivery.UNKNOWN} or message.kind != MessageKind.TEXT:
        raise CannotBeRepeated
    return send_reply(
        conversation=message.conversation,
        text=message.text,
        by=by,
        now=now,
        uuid=uuids.uuid5(message.uuid, "retry"),
    )


def give_up_on_sending(*, now: dt.datetime) -> int:
    """Messages whose call never came back within 10 minutes become unknown; return how many.

    Not while their channel has webhooks that nobody has looked at, for up to an hour.
    """
    left_behind = Message.objects.filter(delivery=Delivery.SENDING, created_at__lte=now - GIVE_UP_AFTER)
    unread = Q(has_unread(OuterRef("channel")))
    return left_behind.filter(~unread | Q(created_at__lte=now - UNREAD_FOR)).update(delivery=Delivery.UNKNOWN)


def _existing(conversation: Conversation, uuid: uuids.UUID) -> Message | None:
    existing = Message.objects.select_related("conversation").filter(uuid=uuid).first()
    if existing is None:
        return None
    if existing.conversation.organization_id != conversation.organization_id:
        raise ReplyRefused
    return existing


def _mark(
    *, conversation: Conversation, text: str, by: User, now: dt.datetime, uuid: uuids.UUID
) -> tuple[Message, bool]:
    with transaction.atomic(durable=True):
        message, created = Message.objects.get_or_create(
            uuid=uuid,
            defaults={
                "conversation": conversation,
                "channel_id": conversation.channel_id,
                "direction": Direction.OUTBOUND,
                "text": text,
                "delivery": Delivery.SENDING,
                "sent_by": by,
                "at": now,
                "created_at": database_now(),
            },
        )
        if created:
            recording.move_conversation(message, preview=recording.one_line(text))
    return message, created


def _send(message: Message) -> None:
    channel = message.conversation.channel
    if not _reserve(channel):
        _settle_failed(message, Failure(cause=Cause.NO_SLOT))
        logger.warning("reply_not_sent", message=str(message.uuid), cause=Cause.NO_SLOT)
        return
    result = _call(message)
    _settle(message, result)
    verdicts.heed(channel, result, token=channel.access_token)


def _reserve(channel: Channel) -> bool:
    """Wait for a slot on the channel's line; False where none comes soon."""
    slots = rate.reserve(channel, 1, ahead=PATIENCE)
    for moment in slots.times():
        time.sleep(max(0.0, moment - time.monotonic()))
    return slots.count > 0


def _call(message: Message) -> verdicts.Answer:
    conversation = message.conversation
    try:
        return client_for(conversation.channel).send_text(
            recipient=conversation.contact.recipient,
            text=message.text,
            reference=references.build(references.Kind.MESSAGE, message.uuid),
        )
    except WhatsAppError as error:
        return error


def _settle(message: Message, result: verdicts.Answer) -> None:
    log = logger.bind(message=str(message.uuid))
    match result:
        case Accepted():
            with transaction.atomic():
                recording.accept(message, whatsapp_id=result.message_id)
                message.refresh_from_db()
                recording.apply_early_statuses(message)
            log.info("reply_sent")
        case OutcomeUnknown():
            _settle_unknown(message)
            log.warning("reply_unknown", details=result.details)
        case _:
            _settle_failed(message, result.failure)
            log.warning(
                "reply_not_accepted", outcome=type(result).__name__, code=result.code, cause=result.cause
            )


# Unless a webhook has proved meanwhile that Meta has it ---------------------------------------------


def _settle_failed(message: Message, failure: Failure) -> None:
    unproved = Message.objects.filter(
        pk=message.pk, whatsapp_id="", delivery__in=[Delivery.SENDING, Delivery.UNKNOWN]
    )
    unproved.update(delivery=Delivery.FAILED, **failure.columns("error"))


def _settle_unknown(message: Message) -> None:
    Message.objects.filter(pk=message.pk, delivery=Delivery.SENDING).update(delivery=Delivery.UNKNOWN)
