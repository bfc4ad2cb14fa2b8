"""A bulk change as pages show it while it is made, and how it ended (pure)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import ngettext

from followups.models import BulkChange
from followups.wording import bulk
from trochai.paging import Count

if TYPE_CHECKING:
    from trochai.accounts.models import Membership


@dataclass(frozen=True)
class Progress:
    change: BulkChange
    title: str
    done: Count
    left: str  # about how long it still takes; empty if nobody knows
    can_stop: bool

    @property
    def is_stopping(self) -> bool:
        return self.change.stop_requested_at is not None


def progress_of(change: BulkChange, *, membership: Membership, now: dt.datetime) -> Progress:
    running = bulk.VERBS[change.action].running
    return Progress(
        change=change,
        title=bulk.counted(running, Count(change.total or change.done), change.values),
        done=Count(change.done),
        left=_left(change, now),
        can_stop=may_stop(membership, change),
    )


def may_stop(membership: Membership, change: BulkChange) -> bool:
    """Whoever began it may, and admins."""
    return membership.is_admin or (membership.can_write and membership.user_id == change.by_id)


def _left(change: BulkChange, now: dt.datetime) -> str:
    """About 20 seconds, about 3 minutes"""
    if not change.total or not change.done:
        return ""
    took = max(0.0, (now - change.created_at).total_seconds())
    seconds = round(took / change.done * max(0, change.total - change.done))
    if seconds < 60:
        tens = 10 * max(1, -(-seconds // 10))
        return ngettext("about %(n)d second", "about %(n)d seconds", tens) % {"n": tens}
    minutes = round(seconds / 60)
    return ngettext("about %(n)d minute", "about %(n)d minutes", minutes) % {"n": minutes}
