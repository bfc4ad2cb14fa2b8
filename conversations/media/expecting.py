"""Which messages have a file that is to be fetched."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from conversations import wording
from conversations.models import Attachment, Message
from conversations.tasks import transfer_files
from trochai.clock import database_now
from trochai.waking import waker
from trochai.whatsapp.json_reading import mapping, text_or_number


def media_id_of(message: Message) -> str:
    """Return Meta's id of the message's file, or nothing."""
    if message.kind not in wording.FILES:
        return ""
    media_id = text_or_number(mapping(message.content, message.kind).get("id"))
    return media_id if len(media_id) <= 64 else ""


def expect(messages: Iterable[Message]) -> None:
    """Have workers fetch the files of messages that were just written, within the same transaction."""
    ids = [(message, media_id) for message in messages if (media_id := media_id_of(message))]
    if not ids:
        return
    now = database_now()
    Attachment.objects.bulk_create(
        [Attachment(message=message, media_id=media_id, due_at=now) for message, media_id in ids],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: waker.wake(transfer_files))
