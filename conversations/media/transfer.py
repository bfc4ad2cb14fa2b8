"""The files that are on their way, from WhatsApp or to it. The row is the queue, whichever worker dies."""

from __future__ import annotations

import datetime as dt
from types import ModuleType

import structlog
from django.db import transaction

from conversations.media import fetching, passing
from conversations.models import Attachment, AttachmentState
from trochai.clock import database_now

logger = structlog.get_logger(__name__)

# Longer than a transfer may take.
LEASE = dt.timedelta(minutes=15)


def do_next() -> Attachment | None:
    """Fetch or pass on the file that is due for longest, and return it as it was; None if none is due."""
    attachment = _claim(now=database_now())
    if attachment is None:
        return None
    transfer: ModuleType = passing if attachment.state == AttachmentState.SENDING else fetching
    try:
        transfer.run(attachment)
    except Exception:
        logger.exception("file_not_transferred", attachment=attachment.pk)
        transfer.try_later(attachment, why="broken")
    return attachment


def _claim(*, now: dt.datetime) -> Attachment | None:
    with transaction.atomic():
        due = Attachment.objects.filter(due_at__lte=now).order_by("due_at", "pk")
        attachment = due.select_for_update(skip_locked=True, no_key=True).first()
        if attachment is not None:
            attachment.due_at = now + LEASE
            attachment.tries += 1
            attachment.save(update_fields=["due_at", "tries"])
    return attachment
