"""Takes what people write in the composer; a worker sends it a moment later (``conversations.sending``).

A message is never sent twice: if nobody saw how its call ended, it is "delivery unknown", and a person
decides.
"""

from __future__ import annotations

import datetime as dt
import uuid as uuids
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext_lazy

from conversations import recording, window
from conversations.models import (
    Conversation,
    Delivery,
    Direction,
    Message,
    MessageKind,
    QueuedMessage,
)
from conversations.tasks import send_replies
from trochai.clock import database_now
from trochai.waking import waker

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from trochai.accounts.models import User
    from trochai.whatsapp.cloud_api.failures import Failure


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
    """Write free-form text and wake a worker that sends it; return the message.

    Its ``delivery`` says what comes of it. A second time, the same ``uuid`` returns the first message. Raises
    ``WindowClosed``, ``ChannelStopped`` or ``ReplyRefused``, and then nothing was written.
    """
    uuid = uuid or uuids.uuid4()
    existing = _existing(conversation, uuid)
    if existing is not None:
        return existing
    if not window.is_open(conversation, now):
        raise WindowClosed
    if conversation.channel.is_stopped:
        raise ChannelStopped(conversation.channel.stop)
    return _write(conversation=conversation, text=text, by=by, now=now, uuid=uuid)


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


def _existing(conversation: Conversation, uuid: uuids.UUID) -> Message | None:
    existing = Message.objects.select_related("conversation").filter(uuid=uuid).first()
    if existing is None:
        return None
    if existing.conversation.organization_id != conversation.organization_id:
        raise ReplyRefused
    return existing


def _write(*, conversation: Conversation, text: str, by: User, now: dt.datetime, uuid: uuids.UUID) -> Message:
    with transaction.atomic():
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
            },
        )
        if created:
            recording.move_conversation(message, preview=recording.one_line(text))
            QueuedMessage.objects.create(
                message=message,
                conversation=conversation,
                channel_id=conversation.channel_id,
                written_at=database_now(),
            )
            transaction.on_commit(lambda: waker.wake(send_replies))
    return message
