"""Celery tasks: thin, and harmless when they run twice or late."""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef

from conversations import recording
from conversations.media import transfer, unsent, uploads
from conversations.models import AttachmentState, EarlyStatus, Message
from conversations.sending import queue
from conversations.sending.replies import dispatcher
from trochai import statistics
from trochai.clock import database_now
from trochai.waking import waker
from trochai.whatsapp.sending.dispatch import stopping

logger = structlog.get_logger(__name__)

KEEP_EARLY_STATUSES = dt.timedelta(days=30)
# Early statuses looked at in one run.
BATCH = 500


@shared_task(ignore_result=True)
def send_replies(**_future: Any) -> None:
    """Send what people wrote: woken by each message, and every minute for what no worker heard of."""
    now = database_now()
    queue.tidy_up(now=now)
    unsent.give_up(now=now)
    # A run ends after a while; people do not wait for the next minute.
    while dispatcher.send_in_this_process() and not stopping.is_set():
        pass


@shared_task(ignore_result=True)
def transfer_files(**_future: Any) -> None:
    """Fetch what contacts sent, and pass on what people send: woken by both, and every minute."""
    while not stopping.is_set() and (done := transfer.do_next()):
        if done.state == AttachmentState.SENDING:
            waker.wake(send_replies)


@shared_task(ignore_result=True)
def apply_early_statuses(**_future: Any) -> None:
    """Apply statuses that came while their message was just being recorded. Every minute.

    The recorder and the webhook cannot see each other's uncommitted rows, so neither applies it.
    """
    recorded = Message.objects.filter(channel=OuterRef("channel"), whatsapp_id=OuterRef("whatsapp_id"))
    for early in EarlyStatus.objects.filter(Exists(recorded)).order_by("pk")[:BATCH]:
        try:
            _apply(early)
        except Exception:
            # The oldest come first: one that breaks must not block the others for ever.
            logger.exception("early_status_not_applied", early_status=early.pk)


def _apply(early: EarlyStatus) -> None:
    with transaction.atomic():
        message = Message.objects.get(channel=early.channel_id, whatsapp_id=early.whatsapp_id)
        recording.follow(message, early)
        early.delete()


@shared_task(ignore_result=True)
def purge_early_statuses(**_future: Any) -> None:
    """Forget statuses whose message was never recorded here. Once a night."""
    EarlyStatus.objects.filter(received_at__lte=database_now() - KEEP_EARLY_STATUSES).delete()


@shared_task(ignore_result=True)
def discard_files(**_future: Any) -> None:
    """Delete files that could not be deleted with their rows. Every minute."""
    from conversations.media import discarding

    discarding.sweep()


@shared_task(ignore_result=True)
def forget_erased(**_future: Any) -> None:
    """Delete what was said to whom an admin has erased: woken by that, and every minute."""
    from conversations import erasure

    while not stopping.is_set() and erasure.forget_next():
        pass


@shared_task(ignore_result=True)
def purge_uploads(**_future: Any) -> None:
    """Delete files that nobody has sent within a day. Once a night."""
    uploads.purge(now=database_now())


@shared_task(ignore_result=True)
def take_statistics(**_future: Any) -> None:
    """Have SQLite look at how its tables have grown. Once an hour."""
    statistics.take()
