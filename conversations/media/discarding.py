"""Files whose row is gone are deleted as well: at once, or when what keeps them answers again."""

from __future__ import annotations

from uuid import UUID

import structlog
from django.db import transaction

from conversations.media.storing import Away
from conversations.models import Attachment, DiscardedFile, StoredFile, Upload

logger = structlog.get_logger(__name__)

# Rows looked at in one run.
BATCH = 500


def discard(stored: StoredFile) -> None:
    """Delete the files of a row that is being deleted, once that is committed."""
    DiscardedFile.objects.bulk_create([DiscardedFile(uuid=stored.uuid)], ignore_conflicts=True)
    transaction.on_commit(lambda: _delete(stored.uuid))


def sweep() -> None:
    """Delete what could not be deleted before."""
    for uuid in DiscardedFile.objects.order_by("pk").values_list("uuid", flat=True)[:BATCH]:
        if not _delete(uuid):
            return


def _delete(uuid: UUID) -> bool:
    """Return whether the files are gone; False while they cannot be reached."""
    # An upload that was sent is its message's now, under the same name.
    if not any(model.objects.filter(uuid=uuid).exists() for model in (Attachment, Upload)):
        try:
            Attachment(uuid=uuid).discard()
        except Away as error:
            logger.warning("files_left_for_later", uuid=str(uuid), why=str(error))
            return False
    DiscardedFile.objects.filter(uuid=uuid).delete()
    return True
