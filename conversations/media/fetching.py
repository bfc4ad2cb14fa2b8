"""Fetches what contacts have sent.

Meta keeps a file for seven days after its message, and tells an address that is good for five minutes.
Source: "Media" in Meta's reference (June 2026).
"""

from __future__ import annotations

import datetime as dt

import structlog
from django.core.files import File
from django.db import transaction

from conversations.media import inspection
from conversations.media.incoming import incoming_file
from conversations.media.inspection import Fault, NotTaken
from conversations.models import Attachment, AttachmentState
from trochai import changes
from trochai.clock import database_now
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import PermanentError, TemporaryError, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Cause
from trochai.whatsapp.cloud_api.media import TooLarge

logger = structlog.get_logger(__name__)

# Until the next try; the last one again and again.
PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360))
# How long Meta keeps what came in a webhook.
KEPT = dt.timedelta(days=7)
# Of a file that ends each worker that looks into it nobody hears; the pauses alone make some thirty tries.
MOST_TRIES = 40


def run(attachment: Attachment) -> None:
    """Fetch the file and keep it, or settle why not."""
    if attachment.tries > MOST_TRIES:
        _end(attachment, AttachmentState.REFUSED, fault=Fault.WRONG_TYPE)
        return
    try:
        _fetch(attachment)
    except NotTaken as refusal:
        _end(attachment, AttachmentState.REFUSED, fault=refusal.fault)
    except PermanentError as error:
        logger.info("attachment_gone", attachment=attachment.pk, code=error.code)
        _end(attachment, AttachmentState.GONE)
    except WhatsAppError as error:
        try_later(attachment, why=type(error).__name__)


def try_later(attachment: Attachment, *, why: str) -> None:
    now = database_now()
    if now > attachment.message.at + KEPT:
        _end(attachment, AttachmentState.GONE)
        return
    pause = PAUSES[min(attachment.tries, len(PAUSES)) - 1]
    Attachment.objects.filter(pk=attachment.pk, state=AttachmentState.WAITING).update(due_at=now + pause)
    logger.info("attachment_fetched_later", attachment=attachment.pk, why=why, minutes=pause.seconds // 60)


def _fetch(attachment: Attachment) -> None:
    client = client_for(attachment.message.channel)
    address = client.media_address(attachment.media_id)
    if address.size > inspection.MAX_BYTES:
        raise NotTaken(Fault.TOO_LARGE)
    with incoming_file() as file:
        try:
            client.download(address, into=file, limit=inspection.MAX_BYTES)
        except TooLarge:
            raise NotTaken(Fault.TOO_LARGE) from None
        size = file.tell()
        if address.size not in {0, size}:
            raise TemporaryError(cause=Cause.BROKE_OFF)
        found = inspection.inspect(attachment.message.kind, file)
        _keep(attachment, File(file), found)


def _keep(attachment: Attachment, file: File[bytes], found: inspection.Found) -> None:
    # What an earlier try has left: the same name is taken again.
    attachment.discard()
    attachment.keep(file, found)
    columns = {name: getattr(attachment, name) for name in ("file", "thumbnail", *Attachment.FOUND)}
    if not _end(attachment, AttachmentState.READY, **columns, peaks=list(found.peaks)):
        # Deleted by its sender meanwhile.
        attachment.discard()


def _end(attachment: Attachment, state: AttachmentState, **columns: object) -> bool:
    """Settle what waits; False if it is not there any more, or settled by somebody else."""
    waiting = Attachment.objects.filter(pk=attachment.pk, state=AttachmentState.WAITING)
    with transaction.atomic():
        if not waiting.update(state=state, due_at=None, **columns):
            return False
        changes.changed([attachment.message.channel.organization_id], [changes.Kind.CONVERSATIONS])
    return True
