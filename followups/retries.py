"""When a follow-up that met a temporary error is tried again (pure)."""

from __future__ import annotations

import datetime as dt

DELAYS = (dt.timedelta(minutes=5), dt.timedelta(minutes=15), dt.timedelta(minutes=60))


def next_attempt_at(failures: int, now: dt.datetime) -> dt.datetime | None:
    """Return when to try again after ``failures`` temporary errors in a row, or None to give up.

    5 minutes after the first, 15 after the second, 60 after the third; the fourth is the last.
    """
    return now + DELAYS[failures - 1] if failures <= len(DELAYS) else None
