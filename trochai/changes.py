"""Whether anything has changed for an organization, so that an open page which asks hears "no" at once.

Whoever writes says so once it is committed, once for a whole group of rows: a token in the cache, and no row
that a burst would queue on. Nothing depends on it for long: what was written without a word, or while the
cache was away, is seen within ``LOOK_AGAIN``, when an open page looks again in any case.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterable

import structlog
from django.core.cache import caches
from django.db import transaction

logger = structlog.get_logger(__name__)

# What a page says about time ("in 3 hours") is as old as this at most.
LOOK_AGAIN = dt.timedelta(minutes=1)
# Seconds. An organization in which nothing happens for so long is looked at once more.
KEPT = 24 * 3600
# Seconds. A cache that does not answer is left alone for a while: senders do not wait for it each time.
PAUSE = 30.0

_silent_until = 0.0


def changed(organization_ids: Iterable[int]) -> None:
    """Say that something has changed, once the current transaction is committed."""
    tokens = {_key(pk): uuid.uuid4().hex for pk in organization_ids}
    if tokens:
        transaction.on_commit(lambda: _write(tokens))


def version(organization_id: int, *, viewer: int, now: dt.datetime) -> str:
    """Return what stays the same while nothing changes, for ``LOOK_AGAIN``; empty where nobody knows.

    To be read before what it speaks of. ``viewer`` spreads the moments at which everybody looks again.
    """
    if time.monotonic() < _silent_until:
        return ""
    try:
        token = caches["changes"].get(_key(organization_id), "none")
    except Exception as error:
        _be_silent(error)
        return ""
    turn = int((now.timestamp() + viewer * 7) // LOOK_AGAIN.total_seconds())
    return f"{token}-{turn}"


def _write(tokens: dict[str, str]) -> None:
    if time.monotonic() < _silent_until:
        return
    try:
        caches["changes"].set_many(tokens, KEPT)
    except Exception as error:
        _be_silent(error)


def _be_silent(error: Exception) -> None:
    """Whatever is wrong with the cache: pages look for themselves, and senders go on."""
    global _silent_until  # noqa: PLW0603  (of this process)
    _silent_until = time.monotonic() + PAUSE
    logger.warning("changes_not_told", error=type(error).__name__)


def _key(organization_id: int) -> str:
    return f"changed-{organization_id}"
