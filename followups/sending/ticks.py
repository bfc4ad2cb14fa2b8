"""When the beat job last ran, so that whatever still runs can notice its silence."""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import transaction

from followups import announcements
from followups.holds import guard
from followups.models import Tick
from trochai.clock import database_now

logger = structlog.get_logger(__name__)

# Beat ticks every minute; two may be missed by a restart before anybody is told.
LATE_AFTER = dt.timedelta(minutes=3)


def record(*, now: dt.datetime) -> dt.timedelta | None:
    """Note that a worker has begun to send what is due.

    The first tick after a silence tells the admins that it is over; it returns how long nothing was sent.
    After a long one it holds what is due instead (``holds.guard``).
    """
    previous = last()
    if previous is None:
        Tick.objects.bulk_create([Tick(pk=Tick.ONLY, at=now)], ignore_conflicts=True)
        return None
    silence = now - previous
    with transaction.atomic():
        # Of several workers that begin at once, only one ends the silence.
        moved = Tick.objects.filter(pk=Tick.ONLY, at=previous).update(at=now, silence_announced_at=None)
        if not moved or silence <= LATE_AFTER:
            return None
        held = guard.hold_what_is_due(since=previous, now=now) if guard.is_long(silence) else set()
        announcements.announce_sending_again(since=previous, now=now, but=held)
    return silence


def is_guarded(*, now: dt.datetime) -> bool:
    """Whether the next tick decides if anything may be sent at all: until then nothing may."""
    previous = last()
    return previous is not None and guard.is_long(now - previous)


def last() -> dt.datetime | None:
    """Return when a worker last began to send what is due; None if none ever did."""
    return Tick.objects.filter(pk=Tick.ONLY).values_list("at", flat=True).first()


def announce_silence(*, now: dt.datetime) -> dt.datetime | None:
    """Return the last tick if it is too long ago, or None while all is well or nothing ever ran.

    No worker runs then, so whoever asks tells the admins: only one of all processes, and once per silence.
    While all is well this is one query by primary key.
    """
    tick = Tick.objects.filter(pk=Tick.ONLY).first()
    if tick is None or now - tick.at <= LATE_AFTER:
        return None
    if tick.silence_announced_at is None:
        _announce(tick)
    return tick.at


def _announce(tick: Tick) -> None:
    # The ticks are by the database's clock: a machine whose own is ahead must not alarm anybody.
    now = database_now()
    if now - tick.at <= LATE_AFTER:
        return
    unannounced = Tick.objects.filter(pk=Tick.ONLY, at=tick.at, silence_announced_at__isnull=True)
    with transaction.atomic():
        if unannounced.update(silence_announced_at=now):
            announcements.announce_silence(since=tick.at, now=now)
            logger.error("nothing_is_sent", last_tick=tick.at.isoformat())
