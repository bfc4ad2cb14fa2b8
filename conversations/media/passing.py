"""Passes a file that somebody sends on to Meta, which gives it an id; its message is sent like any other.

That may be done twice, after a worker has died; the message may not (``conversations.sending``).
"""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import transaction

from conversations.media import naming, unsent
from conversations.models import Attachment, AttachmentState
from conversations.sending import queue
from conversations.wording import Cause
from trochai.clock import database_now
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import ChannelError, PermanentError, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Failure

logger = structlog.get_logger(__name__)

# Somebody waits for it.
PAUSE = dt.timedelta(seconds=20)


def run(attachment: Attachment) -> None:
    """Upload the file and queue its message, or settle why not."""
    message = attachment.message
    try:
        # Not opened by its field, which would ask for the size again with each piece.
        with attachment.file.storage.open(attachment.file.name or "") as file:
            name = naming.name_of(attachment)
            media_id = client_for(message.channel).upload(file, mime_type=attachment.mime_type, name=name)
    except (PermanentError, ChannelError) as error:
        unsent.fail(attachment, error.failure)
    except WhatsAppError as error:
        try_later(attachment, why=type(error).__name__)
    else:
        _queue(attachment, media_id)


def try_later(attachment: Attachment, *, why: str) -> None:
    now = database_now()
    if now > attachment.message.created_at + unsent.WITHIN:
        unsent.fail(attachment, Failure(cause=Cause.NOT_UPLOADED))
        return
    unsent.underway(attachment).update(due_at=now + PAUSE)
    logger.info("file_passed_on_later", attachment=attachment.pk, why=why)


def _queue(attachment: Attachment, media_id: str) -> None:
    with transaction.atomic():
        known = {"state": AttachmentState.READY, "due_at": None, "media_id": media_id}
        if not unsent.underway(attachment).update(**known):
            return
        queue.add(attachment.message)
