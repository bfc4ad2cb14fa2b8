"""Whether anything has changed for an organization, so that an open page which asks hears "no" at once.

Whoever writes says so once it is committed, once for a whole group of rows: a token in the cache, and no row
that a burst would queue on. Nothing depends on it for long: what was written without a word, or while the
cache was away, is seen within ``LOOK_AGAIN``, when an open page looks again in any case.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from django.db import transaction

from trochai.hints import hints

# What a page says about time ("in 3 hours") is as old as this at most.
LOOK_AGAIN = dt.timedelta(minutes=1)
# Seconds. An organization in which nothing happens for so long is looked at once more.
KEPT = 24 * 3600


def changed(organization_ids: Iterable[int]) -> None:
    """Say that something has changed, once the current transaction is committed."""
    tokens = {_name(pk): uuid.uuid4().hex for pk in organization_ids}
    if tokens:
        transaction.on_commit(lambda: hints.write(tokens, seconds=KEPT))


class Viewer(Protocol):
    """Who looks: a membership."""

    pk: Any
    organization_id: Any


def version(viewer: Viewer, *, now: dt.datetime) -> str:
    """Return what stays the same while nothing changes, for ``LOOK_AGAIN``; empty where nobody knows.

    To be read before what it speaks of. Each viewer looks again at a moment of their own.
    """
    name = _name(viewer.organization_id)
    known = hints.read([name])
    if known is None:
        return ""
    turn = int((now.timestamp() + viewer.pk * 7) // LOOK_AGAIN.total_seconds())
    return f"{known.get(name, 'none')}-{turn}"


def _name(organization_id: int) -> str:
    return f"changed-{organization_id}"
