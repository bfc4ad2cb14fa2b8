"""Messages whose file did not get to WhatsApp."""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import transaction
from django.db.models import QuerySet

from conversations import recording
from conversations.models import Attachment, AttachmentState, Delivery, Message
from conversations.wording import Cause
from trochai import changes
from trochai.whatsapp.cloud_api.failures import Failure

logger = structlog.get_logger(__name__)

# From when it was written: whoever looks then sees that it was not sent.
WITHIN = dt.timedelta(minutes=10)


def fail(attachment: Attachment, failure: Failure) -> None:
    """Its message is not sent; the file stays, to be seen and sent again."""
    with transaction.atomic():
        if not underway(attachment).update(state=AttachmentState.READY, due_at=None):
            return
        unsent = Message.objects.filter(pk=attachment.message_id, delivery=Delivery.SENDING)
        if unsent.update(delivery=Delivery.FAILED, **failure.columns("error")):
            recording.show_failure([attachment.message_id], failed=True)
        organization = attachment.message.channel.organization_id
        changes.changed([organization], [changes.Kind.CONVERSATIONS])
    logger.info("file_not_passed_on", attachment=attachment.pk, cause=failure.cause, code=failure.code)


def give_up(*, now: dt.datetime) -> int:
    """Fail what no worker has passed on in time; return how many."""
    late = Attachment.objects.filter(due_at__isnull=False, state=AttachmentState.SENDING)
    found = list(late.filter(message__created_at__lte=now - WITHIN).select_related("message"))
    for attachment in found:
        fail(attachment, Failure(cause=Cause.NOT_UPLOADED))
    return len(found)


def underway(attachment: Attachment) -> QuerySet[Attachment]:
    """The row itself, as long as its file is on its way to WhatsApp."""
    return Attachment.objects.filter(pk=attachment.pk, state=AttachmentState.SENDING)
