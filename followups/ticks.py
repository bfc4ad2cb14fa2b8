"""When the beat job last ran, so that its silence can be noticed by whoever still runs."""

from __future__ import annotations

import datetime as dt

from followups.models import Tick

# Beat ticks every minute; two may be missed by a restart before anybody is told.
LATE_AFTER = dt.timedelta(minutes=3)


def record(*, now: dt.datetime) -> None:
    """Note that a worker has begun to send what is due."""
    Tick.objects.update_or_create(pk=Tick.ONLY, defaults={"at": now})


def last() -> dt.datetime | None:
    """Return when a worker last began to send what is due; None if none ever did."""
    return Tick.objects.filter(pk=Tick.ONLY).values_list("at", flat=True).first()


def silent_since(*, now: dt.datetime) -> dt.datetime | None:
    """Return the last tick if it is too long ago, or None while all is well or nothing ever ran."""
    at = last()
    return at if at is not None and now - at > LATE_AFTER else None
