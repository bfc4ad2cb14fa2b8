"""Asking Meta for the messaging limits (``messaging_limits``), each number once a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db.models import F, Q

from trochai.changes import Kind, changed
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.messaging_limits import is_readable
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import limit_told

logger = structlog.get_logger(__name__)

# Read again after so long: a number that is asked for each hour is so once a day.
KEPT_FOR = dt.timedelta(hours=23)
# How many numbers are asked for in one round, and how many of them at once. A call lasts at most 35 seconds.
ROUND = 200
AT_ONCE = 8


def read_due(*, now: dt.datetime) -> int:
    """Ask Meta for the limits that were read a day ago or never; return how many it told.

    A stopped number is left out: it is asked again when it works.
    """
    is_due = Q(messaging_limit_at__isnull=True) | Q(messaging_limit_at__lte=now - KEPT_FOR)
    due = Channel.objects.filter(is_due, stopped_at__isnull=True)
    never_first = list(due.order_by(F("messaging_limit_at").asc(nulls_first=True), "?")[:ROUND])
    told = {
        channel: limit
        for channel, limit in zip(never_first, _ask_meta(never_first), strict=True)
        if is_readable(limit)
    }
    for channel, limit in told.items():
        Channel.objects.filter(pk=channel.pk).update(messaging_limit=limit, messaging_limit_at=now)
    organizations = _of_those_that_differ(told.items())
    changed(organizations, [Kind.CHANNELS])
    for pk in sorted(organizations):
        limit_told.send(sender=Channel, organization_id=pk)
    return len(told)


def _of_those_that_differ(told: Iterable[tuple[Channel, str]]) -> set[int]:
    return {channel.organization_id for channel, limit in told if limit != channel.messaging_limit}


def _ask_meta(channels: Sequence[Channel]) -> list[str]:
    """Ask for all of them, outside any transaction; the threads touch no database."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_answer, channels))


def _answer(channel: Channel) -> str:
    try:
        limit = client_for(channel).messaging_limit()
    except WhatsAppError as error:
        logger.info("messaging_limit_not_told", channel=channel.pk, code=error.code)
        return ""
    if not is_readable(limit):
        logger.warning("messaging_limit_not_readable", channel=channel.pk, limit=limit)
    return limit
