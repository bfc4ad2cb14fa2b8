"""Celery's way in: ids in, one domain call."""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from celery import shared_task
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q

from templates_app import requested_sync
from templates_app.sync import SyncResult, sync_channel
from trochai.clock import database_now
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel

log = structlog.get_logger(__name__)

# Many templates that changed, or thousands of messages that one of them fails, are one reason to sync.
# Seconds.
SYNC_PAUSE = 15
# A list that cannot be fetched for so long is left to the hourly sync.
WANTED_FOR = dt.timedelta(minutes=15)


@shared_task
def sync_templates(channel_id: int, **_: Any) -> None:
    """Sync one channel. A failure is only logged: the next hour tries again, and people can."""
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is not None:
        _sync(channel)


@shared_task
def sync_requested(channel_id: int, **_: Any) -> None:
    """Sync one channel for somebody who waits for it: what comes of it is kept."""
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        return
    requested_sync.begin(channel, now=database_now())
    outcome = _sync(channel)
    requested_sync.end(channel, outcome, now=database_now())


def _sync(channel: Channel) -> SyncResult | Failure:
    try:
        return sync_channel(channel, database_now())
    except WhatsAppError as error:
        log.warning("templates_sync_failed", channel=channel.pk, code=error.code, cause=error.cause)
        return error.failure


def sync_soon(channel_id: int) -> None:
    """Have the channel synced once what is being written is committed.

    Within moments, or where a sync was woken just now and may know too little, within the next minute.
    """
    Channel.objects.filter(pk=channel_id).update(templates_wanted_at=database_now())

    def wake() -> None:
        if cache.add(f"templates-sync-soon-{channel_id}", value=True, timeout=SYNC_PAUSE):
            sync_templates.delay(channel_id)

    # A broker or cache that is down is no reason to undo anything: the next minute syncs.
    transaction.on_commit(wake, robust=True)


@shared_task
def sync_wanted_templates(**_: Any) -> None:
    """Every minute: what a lost task, or an event during a sync, has left behind."""
    now = database_now()
    wanted = Channel.objects.filter(stopped_at__isnull=True, templates_wanted_at__gt=now - WANTED_FOR)
    unheard = Q(templates_synced_at__isnull=True) | Q(templates_synced_at__lte=F("templates_wanted_at"))
    for channel_id in wanted.filter(unheard).values_list("pk", flat=True):
        sync_templates.delay(channel_id)


@shared_task
def sync_all_templates(**_: Any) -> None:
    """Wake one task for each channel that works, so that a slow one holds up no other."""
    for channel_id in Channel.objects.filter(stopped_at__isnull=True).values_list("pk", flat=True):
        sync_templates.delay(channel_id)
