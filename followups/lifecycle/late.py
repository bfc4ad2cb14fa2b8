"""What becomes of rows that were held back until they were late: all of them wait, and none for itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest

from followups.contents import contents_of, difference
from followups.lifecycle.changes import ANY_WAIT_IS_OVER, NO_FAILURE, record_all
from followups.models import ChangeKind, FollowUp, Status

if TYPE_CHECKING:
    from trochai.accounts.models import User


def send_late(follow_ups: QuerySet[FollowUp], *, by: User | None, now: dt.datetime) -> int:
    """Let them go out however late they are; return how many."""
    due_at = Greatest("next_attempt_at", Value(now))
    return _change(follow_ups, ChangeKind.RELEASED, by=by, now=now, next_attempt_at=due_at)


def leave_late(follow_ups: QuerySet[FollowUp], *, by: User | None, now: dt.datetime) -> int:
    """Hold them no longer each, so that what is too late fails as missed; return how many."""
    return _change(follow_ups, ChangeKind.RELEASED, by=by, now=now)


def move_late(follow_ups: QuerySet[FollowUp], *, to: dt.datetime, by: User | None, now: dt.datetime) -> int:
    """Let them go out at another moment; return how many."""
    return _change(
        follow_ups,
        ChangeKind.MOVED,
        by=by,
        now=now,
        scheduled_for=to,
        next_attempt_at=to,
        version=F("version") + 1,
        failures=0,
        **ANY_WAIT_IS_OVER,
        **NO_FAILURE,
    )


def spare(follow_ups: QuerySet[FollowUp], *, now: dt.datetime) -> int:
    """Have their lateness counted from now; return how many."""
    ids = _locked(follow_ups)
    return FollowUp.objects.filter(pk__in=ids, status=Status.PENDING).update(next_attempt_at=now)


def _change(
    follow_ups: QuerySet[FollowUp], kind: ChangeKind, *, by: User | None, now: dt.datetime, **columns: Any
) -> int:
    with transaction.atomic():
        ids = _locked(follow_ups)
        rows = list(FollowUp.objects.filter(pk__in=ids, status=Status.PENDING))
        FollowUp.objects.filter(pk__in=ids, status=Status.PENDING).update(held_reason="", **columns)
        record_all({row.pk: _difference(row, columns) for row in rows}, kind, by=by, now=now)
    return len(rows)


def _locked(follow_ups: QuerySet[FollowUp]) -> list[int]:
    return list(follow_ups.select_for_update(of=("self",)).values_list("pk", flat=True))


def _difference(row: FollowUp, columns: dict[str, Any]) -> dict[str, Any]:
    before = contents_of(row)
    return difference(before, before | {name: columns[name] for name in before if name in columns})
