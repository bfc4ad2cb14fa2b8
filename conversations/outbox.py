"""Takes what people send from a conversation, their own words or a template; a worker sends it a moment
later (``conversations.sending``).

A message is never sent twice: if nobody saw how its call ended, it is "delivery unknown", and a person
decides.
"""

from __future__ import annotations

import datetime as dt
import uuid as uuids
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext_lazy

from conversations import recording, window
from conversations.frozen import Frozen
from conversations.media import naming
from conversations.models import (
    Attachment,
    AttachmentState,
    Conversation,
    Delivery,
    Direction,
    Message,
    MessageKind,
    Upload,
)
from conversations.sending import queue
from conversations.tasks import send_replies, transfer_files
from conversations.wording import FILES
from templates_app.rendering import text_of
from trochai.clock import database_now
from trochai.waking import waker
from trochai.whatsapp.cloud_api import payloads

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from templates_app.models import Template
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
    """It did not fail, or it was not written here."""

    code = "cannot_be_repeated"
    words = gettext_lazy("This message can’t be sent again.")


class WantsNoMessages(ReplyRefused):
    """The contact has opted out; free text within the window is not a matter of this."""

    code = "opted_out"
    words = gettext_lazy("The contact doesn’t want messages any more, so no template can be sent.")


class InDoubt(ReplyRefused):
    """The number may be somebody else's by now."""

    code = "in_doubt"
    words = gettext_lazy(
        "The contact may have another number now, as WhatsApp says. An admin can correct it, or an operator"
        " merge the two contacts."
    )


class Unreachable(ReplyRefused):
    """Meta would take neither the contact's number nor an id of its."""

    code = "unreachable"
    words = gettext_lazy("The contact has no number that WhatsApp can write to. An admin can correct it.")


class FilesGone(ReplyRefused):
    """They were sent already, or nobody has sent them for a day."""

    code = "files_gone"
    words = gettext_lazy("A file is no longer here. Attach it again.")


class TemplateRefused(ReplyRefused):
    """The template cannot be sent on the conversation's channel, or not with these values."""

    code = "not_sendable"
    words = gettext_lazy("This template can’t be sent with these values. Choose it again.")


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
    _refuse_free_form(conversation, now)
    return _write(conversation, uuid, preview=text, sent_by=by, at=now, text=text)


def send_files(
    *,
    conversation: Conversation,
    uploads: Sequence[uuids.UUID],
    text: str,
    by: User,
    now: dt.datetime,
    uuid: uuids.UUID,
) -> list[Message]:
    """Write a message for each of the member's uploads, to be sent once WhatsApp has its file.

    ``text`` becomes the first one's caption, or a message of its own after an audio, which has none. A second
    time, the same ``uuid`` returns the first message. Raises ``ReplyRefused``, and then nothing was written.
    """
    existing = _existing(conversation, uuid)
    if existing is not None:
        return [existing]
    _refuse_free_form(conversation, now)
    with transaction.atomic():
        mine = Upload.objects.select_for_update().filter(conversation=conversation, by=by, uuid__in=uploads)
        known = {upload.uuid: upload for upload in mine}
        if set(known) != set(uploads):
            # The same form, sent twice at once: the other one has them.
            if existing := _existing(conversation, uuid):
                return [existing]
            raise FilesGone
        captioned = next((each for each in uploads if known[each].kind != "audio"), None)
        if text and (captioned is None or len(text) > payloads.MAX_CAPTION):
            captioned = None
            send_reply(conversation=conversation, text=text, by=by, now=now, uuid=uuids.uuid5(uuid, "text"))
        messages = [
            _write_with_file(
                conversation,
                uuid if place == 0 else uuids.uuid5(uuid, str(place)),
                attachment=known[each].attachment(),
                kind=known[each].kind,
                content=_named(known[each]),
                text=text if each == captioned else "",
                sent_by=by,
                at=now,
            )
            for place, each in enumerate(uploads)
        ]
        mine.delete()
    return messages


def _named(upload: Upload) -> dict[str, Any]:
    """Return the content of its message: only a document goes by a name."""
    return {upload.kind: {"filename": upload.name} if upload.kind == "document" else {}}


def send_template(
    *,
    conversation: Conversation,
    template: Template,
    values: Mapping[str, str],
    by: User,
    now: dt.datetime,
    uuid: uuids.UUID,
) -> Message:
    """Write a template message, to be sent at once like ``send_reply``'s, also where the window is closed.

    ``values`` by parameter key. A second time, the same ``uuid`` returns the first message, whatever it says.
    Raises ``ReplyRefused``, and then nothing was written.
    """
    existing = _existing(conversation, uuid)
    if existing is not None:
        return existing
    refuse_template(conversation, template, values, now=now)
    frozen = Frozen(template.pk, template.shape, dict(values))
    message = template.render(frozen.values).as_dict()
    return _write(
        conversation,
        uuid,
        preview=message["body"] or template.name,
        sent_by=by,
        at=now,
        kind=MessageKind.TEMPLATE,
        text=text_of(message),
        content={**message, Frozen.KEY: frozen.as_dict()},
        template_name=template.name,
        language=template.language,
    )


def refuse_template(
    conversation: Conversation, template: Template, values: Mapping[str, str], *, now: dt.datetime
) -> None:
    """Raise ``ReplyRefused`` if the template cannot be sent there now with these values."""
    contact, channel = conversation.contact, conversation.channel
    if contact.is_opted_out:
        raise WantsNoMessages
    if contact.is_in_doubt:
        raise InDoubt
    if not contact.can_be_written_to(channel):
        raise Unreachable
    if channel.is_stopped:
        raise ChannelStopped(channel.stop)
    if not template.can_be_sent_on(channel) or template.problems_with(values, until=now):
        raise TemplateRefused


def retry_reply(message: Message, *, by: User, now: dt.datetime, anyway: bool = False) -> Message:
    """Send a failed message once more, as a new one; the same retry twice makes one message.

    Raises ``MayHaveArrived`` for one whose outcome is unknown unless ``anyway``, ``ReplyRefused`` for one
    that did not fail, and what ``send_reply`` and ``send_template`` raise.
    """
    if message.delivery == Delivery.UNKNOWN and not anyway:
        raise MayHaveArrived
    if message.delivery not in {Delivery.FAILED, Delivery.UNKNOWN}:
        raise CannotBeRepeated
    again: dict[str, Any] = {
        "conversation": message.conversation,
        "by": by,
        "now": now,
        "uuid": uuids.uuid5(message.uuid, "retry"),
    }
    if message.kind == MessageKind.TEXT:
        return send_reply(text=message.text, **again)
    if message.kind in FILES:
        return _send_file_again(message, **again)
    frozen = Frozen.of(message)
    if frozen is None:
        raise CannotBeRepeated
    return send_template(template=frozen.template(), values=frozen.values, **again)


def _send_file_again(
    message: Message, *, conversation: Conversation, by: User, now: dt.datetime, uuid: uuids.UUID
) -> Message:
    existing = _existing(conversation, uuid)
    if existing is not None:
        return existing
    sent = Attachment.objects.filter(message=message).exclude(file="").first()
    if sent is None:
        raise CannotBeRepeated
    _refuse_free_form(conversation, now)
    # A file of its own: each goes with its message. Made before the transaction, as that may take long.
    copy = sent.copied()
    try:
        return _write_with_file(
            conversation,
            uuid,
            attachment=copy,
            kind=message.kind,
            content=message.content,
            text=message.text,
            sent_by=by,
            at=now,
        )
    finally:
        # Somebody else has sent it meanwhile.
        if copy.pk is None:
            copy.discard()


def _refuse_free_form(conversation: Conversation, now: dt.datetime) -> None:
    if not window.is_open(conversation, now):
        raise WindowClosed
    if conversation.channel.is_stopped:
        raise ChannelStopped(conversation.channel.stop)


def _existing(conversation: Conversation, uuid: uuids.UUID) -> Message | None:
    existing = Message.objects.select_related("conversation").filter(uuid=uuid).first()
    if existing is None:
        return None
    if existing.conversation.organization_id != conversation.organization_id:
        raise ReplyRefused
    return existing


def _write(conversation: Conversation, uuid: uuids.UUID, *, preview: str, **columns: Any) -> Message:
    """Write the message and what makes a worker send it; ``columns`` are the message's."""
    with transaction.atomic():
        message, created = _message(conversation, uuid, **columns)
        if created:
            recording.move_conversation(message, preview=recording.one_line(preview))
            queue.add(message)
            transaction.on_commit(lambda: waker.wake(send_replies))
    return message


def _write_with_file(
    conversation: Conversation, uuid: uuids.UUID, *, attachment: Attachment, **columns: Any
) -> Message:
    """Write a message that goes once its file is passed on; ``attachment`` is saved with it."""
    with transaction.atomic():
        message, created = _message(conversation, uuid, **columns)
        if created:
            words = message.text or naming.given_name(message)
            recording.move_conversation(message, preview=recording.one_line(words))
            attachment.message, attachment.state = message, AttachmentState.SENDING
            attachment.due_at = database_now()
            attachment.save()
            transaction.on_commit(lambda: waker.wake(transfer_files))
    return message


def _message(conversation: Conversation, uuid: uuids.UUID, **columns: Any) -> tuple[Message, bool]:
    """Return the message with this ``uuid``, and whether it was written just now."""
    known = {
        "conversation": conversation,
        "channel_id": conversation.channel_id,
        "direction": Direction.OUTBOUND,
        "delivery": Delivery.SENDING,
    }
    return Message.objects.get_or_create(uuid=uuid, defaults={**known, **columns})
