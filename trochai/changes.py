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
from typing import Any, Protocol, TypeVar

from django.db import transaction
from django.utils.translation import get_language

from trochai.hints import hints
from trochai.news import News

# What a page says about time ("in 3 hours") is as old as this at most.
LOOK_AGAIN = dt.timedelta(minutes=1)
# Seconds. An organization in which nothing happens for so long is looked at once more.
KEPT = 24 * 3600
_MOMENT = re.compile("[0-9a-f]{12}")
# What stands for a kind of which nothing has been told yet, or nothing is known any more.
_NEVER = "0"

Found = TypeVar("Found")


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
    if not (tokens := last_told(viewer.organization_id, kinds)):
        return ""
    turn = int((now.timestamp() + viewer.pk * 7) // LOOK_AGAIN.total_seconds())
    return f"{tokens}-{turn}"


def last_told(organization_id: int, kinds: Collection[Kind]) -> str:
    """Return what stays the same while nothing of these kinds is told; empty if nobody knows.

    To be read before what it speaks of.
    """
    names = [_name(organization_id, kind) for kind in kinds]
    known = hints.read(names)
    return "" if known is None else "-".join(str(known.get(name, _NEVER)) for name in names)


def told(version: str, kinds: Collection[Kind]) -> str:
    """Return what a version of ``kinds`` says of changes alone: the same to all of an organization."""
    return "-".join(version.split("-")[: len(kinds)])


def as_of(version: str, told: str) -> str:
    """Return ``version`` with what it says of changes put back to ``told``: of a page with an older part."""
    return "-".join([told, *version.split("-")[told.count("-") + 1 :]])


def moment(text: str) -> str:
    """Return ``text`` if it may name a moment (``News.moment``), which a page says again; else nothing."""
    return text if _MOMENT.fullmatch(text) else ""


def kept(name: str, told: str, find: Callable[[], Found]) -> Found:
    """Return what ``find`` has returned under this name since all that was ``told``; else find and keep it.

    For ``LOOK_AGAIN``, as an open page shows it. ``told``: of the kinds that it speaks of, read before.
    """
    found: Found | None = recall(name, told)
    if found is None:
        found = find()
        keep(name, told, found)
    return found


def recall(name: str, told: str) -> Any | None:
    """Return what is kept under this name, and in the active language, since all that was ``told``."""
    if not _can_be_kept(told):
        return None
    return (hints.read([key := _kept_name(name, told)]) or {}).get(key)


def keep(name: str, told: str, found: object) -> None:
    if _can_be_kept(told):
        hints.write({_kept_name(name, told): found}, seconds=LOOK_AGAIN.total_seconds())


def _can_be_kept(told: str) -> bool:
    # Where nobody knows when a kind has changed last, a change may go unnoticed.
    return bool(told) and _NEVER not in told.split("-")


def _kept_name(name: str, told: str) -> str:
    return f"kept-{name}-{get_language()}-{told}"


def _name(organization_id: int, kind: Kind) -> str:
    return f"changed-{organization_id}-{kind}"
