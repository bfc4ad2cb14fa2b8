"""What has changed for an organization: an open page that asks hears "nothing" at once, or is told to ask.

Whoever writes says so once it is committed, once for a whole group of rows. That leaves a token for each kind
of change in the cache, and no row that a burst would queue on, and tells the streams of open pages
(``trochai.live``). Nothing depends on it for long: what was written without a word, or while Redis was away,
is seen within ``LOOK_AGAIN``, when an open page looks again in any case.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Any, Protocol

from django.db import transaction

from trochai.hints import hints
from trochai.news import News

# What a page says about time ("in 3 hours") is as old as this at most.
LOOK_AGAIN = dt.timedelta(minutes=1)
# Seconds. An organization in which nothing happens for so long is looked at once more.
KEPT = 24 * 3600
_MOMENT = re.compile("[0-9a-f]{12}")


class Kind(StrEnum):
    """What a part of a page may show; ``data-poll`` in a template names those that its part does."""

    CONVERSATIONS = "conversations"
    FOLLOW_UPS = "followups"
    NOTICES = "notices"
    CHANNELS = "channels"
    TEMPLATES = "templates"
    # The counts of the days ahead were counted again.
    CALENDAR = "calendar"
    # Somebody has begun to write in a conversation. Kept in the cache, as a hint.
    WRITING = "writing"


# What rows say, and a member's request may have changed.
LASTING = tuple(kind for kind in Kind if kind is not Kind.WRITING)
# The inbox, the table of follow-ups, and the frame around every page.
INBOX = (Kind.CONVERSATIONS, Kind.FOLLOW_UPS, Kind.CHANNELS, Kind.TEMPLATES)
TABLE = (Kind.FOLLOW_UPS, Kind.CHANNELS, Kind.TEMPLATES)
DAYS_AHEAD = (Kind.FOLLOW_UPS, Kind.CHANNELS, Kind.CALENDAR)
FRAME = (Kind.CONVERSATIONS, Kind.NOTICES, Kind.CHANNELS)


def changed(organization_ids: Iterable[int], kinds: Collection[Kind] = LASTING) -> None:
    """Say that something of these kinds has changed, once the current transaction is committed."""
    organizations = sorted(set(organization_ids))
    if not organizations or not kinds:
        return
    tokens = {_name(pk, kind): secrets.token_hex(6) for pk in organizations for kind in kinds}
    news = News(organizations=organizations, kinds=sorted(kinds), moment=secrets.token_hex(6))

    def tell() -> None:
        # In this order: who is told asks at once.
        hints.write(tokens, seconds=KEPT)
        hints.publish(news)

    transaction.on_commit(tell)


_untold: set[Callable[..., Any]] = set()


def untold(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that changes nothing though it is sent something, or tells of it by itself."""
    _untold.add(view)
    return view


def is_untold(view: Callable[..., Any]) -> bool:
    return view in _untold


class Viewer(Protocol):
    """Who looks: a membership."""

    pk: Any
    organization_id: Any


def version(viewer: Viewer, kinds: Collection[Kind], *, now: dt.datetime) -> str:
    """Return what stays the same while none of ``kinds`` changes, for ``LOOK_AGAIN``; empty if nobody knows.

    To be read before what it speaks of. Each viewer looks again at a moment of their own.
    """
    names = [_name(viewer.organization_id, kind) for kind in kinds]
    known = hints.read(names)
    if known is None:
        return ""
    turn = int((now.timestamp() + viewer.pk * 7) // LOOK_AGAIN.total_seconds())
    return "-".join([*(str(known.get(name, 0)) for name in names), str(turn)])


def told(version: str, kinds: Collection[Kind]) -> str:
    """Return what a version of ``kinds`` says of changes alone: the same to all of an organization."""
    return "-".join(version.split("-")[: len(kinds)])


def as_of(version: str, told: str) -> str:
    """Return ``version`` with what it says of changes put back to ``told``: of a page with an older part."""
    return "-".join([told, *version.split("-")[told.count("-") + 1 :]])


def moment(text: str) -> str:
    """Return ``text`` if it may name a moment (``News.moment``), which a page says again; else nothing."""
    return text if _MOMENT.fullmatch(text) else ""


def token(organization_id: int, kind: Kind) -> str:
    """Return what stays the same while nothing of this kind is told; empty if nobody knows.

    To be read before what it speaks of.
    """
    known = hints.read([name := _name(organization_id, kind)])
    return "" if known is None else str(known.get(name, 0))


def _name(organization_id: int, kind: Kind) -> str:
    return f"changed-{organization_id}-{kind}"
