"""What people do with many follow-ups at once, set by set.

The rows are ``lock``ed by the caller's transaction and in a state that the change may leave: nobody else has
changed them since they were read. Otherwise each function does what its namesake in ``people`` does to one,
but that those in charge are told by whoever calls it, once for all.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import F, QuerySet

from followups import announcements
from followups.contents import contents_of, difference
from followups.lifecycle import counts
from followups.lifecycle.changes import ANY_WAIT_IS_OVER, NO_FAILURE, canceled, record_all
from followups.models import CancelCause, ChangeKind, FollowUp, Series, Status

if TYPE_CHECKING:
    from templates_app.models import Template
    from trochai.accounts.models import User

# What a worker is sending is settled by that worker, who must not wait.
AT_REST = [Status.PENDING, Status.FAILED, Status.CANCELED]


def lock(ids: Collection[int], *, with_counts: bool) -> list[FollowUp]:
    """Return those of the rows that wait or are final, locked until the transaction ends, by their ids.

    ``with_counts``: how many wait for their conversations is going to change.
    """
    rows = FollowUp.objects.visible().filter(pk__in=ids)
    if with_counts:
        counts.lock(rows)
    return list(rows.filter(status__in=AT_REST).select_for_update(of=("self",)).order_by("pk"))


def move_all(moves: Mapping[FollowUp, dt.datetime], *, by: User, now: dt.datetime) -> None:
    """Let pending rows go out at other moments."""
    by_distance: dict[dt.timedelta, list[FollowUp]] = defaultdict(list)
    for row, to in moves.items():
        by_distance[to - row.scheduled_for].append(row)
    for distance, rows in by_distance.items():
        moved_to = F("scheduled_for") + distance
        anew = {
            "scheduled_for": moved_to,
            "next_attempt_at": moved_to,
            "failures": 0,
            **ANY_WAIT_IS_OVER,
            **NO_FAILURE,
        }
        _decide(rows, **anew)
    _record_decided({row: {"scheduled_for": to} for row, to in moves.items()}, ChangeKind.MOVED, by, now)
    announcements.announce_all_moved(moves, by=str(by), now=now)


def change_template_all(
    parameters: Mapping[FollowUp, Mapping[str, str]], *, to: Template, by: User, now: dt.datetime
) -> None:
    """Let pending rows go out with another template, each with these values."""
    decided = {row: {"template_id": to.pk, "parameters": dict(each)} for row, each in parameters.items()}
    _decide(parameters, template=to, shape=to.shape)
    _record_decided(decided, ChangeKind.EDITED, by, now)
    _pending(parameters).bulk_update(parameters, ["parameters"])
    announcements.announce_all_edited(parameters, to, by=str(by), now=now)


def cancel_all(rows: Collection[FollowUp], *, by: User, now: dt.datetime) -> None:
    """pending → canceled; their conversations are locked too."""
    _pending(rows).update(**canceled(CancelCause.MEMBER, by=by, now=now))
    counts.add([row.conversation_id for row in rows], by=-1)
    record_all({row.pk: {} for row in rows}, ChangeKind.CANCELED, by=by, now=now)
    announcements.announce_all_canceled(rows, by=str(by), now=now)


def hand_over_all(rows: Collection[FollowUp], *, to: User, by: User, now: dt.datetime) -> None:
    FollowUp.objects.filter(pk__in=[row.pk for row in rows]).update(owner=to)
    if repeated := {row.series_id for row in rows if row.series_id is not None}:
        Series.objects.filter(pk__in=repeated).update(owner=to)
    after = {"in_charge": str(to)}
    values = {row.pk: {"from": {"in_charge": str(row.in_charge or "")}, "to": after} for row in rows}
    record_all(values, ChangeKind.HANDED_OVER, by=by, now=now)


def delete_all(rows: Collection[FollowUp], *, by: User, now: dt.datetime) -> None:
    """Hide failed and canceled rows; ``people.purge_deleted`` removes them later."""
    FollowUp.objects.filter(pk__in=[row.pk for row in rows]).update(deleted_at=now)
    record_all({row.pk: {} for row in rows}, ChangeKind.DELETED, by=by, now=now)


def _pending(rows: Iterable[FollowUp]) -> QuerySet[FollowUp]:
    return FollowUp.objects.filter(pk__in=[row.pk for row in rows], status=Status.PENDING)


def _decide(rows: Iterable[FollowUp], **columns: Any) -> None:
    """Change what people decide: nobody is asked any more whether it goes out although the contact wrote."""
    _pending(rows).update(version=F("version") + 1, kept_after_reply=True, **columns)


def _record_decided(
    decided: Mapping[FollowUp, Mapping[str, Any]], kind: ChangeKind, by: User, now: dt.datetime
) -> None:
    """Record what was decided before and after, and bring the rows in memory up to date."""
    values = {}
    for row, after in decided.items():
        before = contents_of(row)
        values[row.pk] = difference(before, {**before, **after})
        for name, value in after.items():
            setattr(row, name, value)
    record_all(values, kind, by=by, now=now)
