"""Finding out whether a stopped channel works again, so that nobody has to press a button.

What a probe can prove depends on why the channel stopped: see ``READABLE_CODES``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import transaction
from django.db.models import F, Q

from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_needs_trial

logger = structlog.get_logger(__name__)

# The token is not valid (0, 190), the number is not known (33), there is no token to call with (None):
# reading the number meets the same error, so its success proves that sending works again. Reading needs
# a different permission, and it works on a locked, restricted, unpaid or unregistered number: after all
# other codes only a message can tell.
READABLE_CODES: frozenset[int | None] = frozenset({None, 0, 33, 190})
# How many are probed in one round, and how many of them at once. A call lasts at most 35 seconds, so a
# round ends before the next begins.
ROUND = 40
AT_ONCE = 8
# Probes become rarer the longer a channel is stopped: the wait is as long as the stop, up to this.
LONGEST_WAIT = dt.timedelta(hours=1)


def probe_stopped(*, now: dt.datetime) -> int:
    """Probe the stopped channels whose time has come; return how many were resumed.

    Those where only a message can tell are passed on by ``channel_needs_trial``.
    """
    readable = [channel for channel in _take_due(now) if not _left_to_a_message(channel)]
    return sum(
        _resume(channel) for channel, works in zip(readable, _ask_meta(readable), strict=True) if works
    )


def _take_due(now: dt.datetime) -> list[Channel]:
    """Return the channels to probe now; another round that begins meanwhile gets others."""
    is_due = Q(next_probe_at__isnull=True) | Q(next_probe_at__lte=now)
    due = Channel.objects.filter(is_due, stopped_at__isnull=False)
    longest_waiting = due.order_by(F("next_probe_at").asc(nulls_first=True), "pk")
    taken = []
    for channel in longest_waiting[:ROUND]:
        mine = Channel.objects.filter(is_due, pk=channel.pk, stopped_at=channel.stopped_at)
        if mine.update(next_probe_at=now + _wait(channel, now)):
            taken.append(channel)
    return taken


def _wait(channel: Channel, now: dt.datetime) -> dt.timedelta:
    if channel.stopped_at is None or channel.stop_code not in READABLE_CODES:
        return channels.PROBE_EVERY
    return min(max(now - channel.stopped_at, channels.PROBE_EVERY), LONGEST_WAIT)


def _left_to_a_message(channel: Channel) -> bool:
    if channel.stop_code in READABLE_CODES:
        return False
    with transaction.atomic():
        channel_needs_trial.send(sender=Channel, channel=channel)
    return True


def _ask_meta(stopped: Sequence[Channel]) -> list[bool]:
    """Ask for all of them at once, outside any transaction; the threads touch no database."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_answers, stopped))


def _answers(channel: Channel) -> bool:
    try:
        client_for(channel).phone_number()
    except WhatsAppError as error:
        logger.info("channel_still_stopped", channel=channel.pk, code=error.code)
        return False
    return True


def _resume(channel: Channel) -> bool:
    resumed = channels.resume(channel.pk, stopped_at=channel.stopped_at)
    if resumed:
        logger.warning("channel_resumed", channel=channel.pk, code=channel.stop_code)
    return resumed
