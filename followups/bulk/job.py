"""Making a bulk change, chunk by chunk.

Each chunk is one transaction, which also moves the cursor: one that dies half-way leaves nothing, and one
that is made again finds the cursor beyond its rows. Whoever makes the next chunk holds the change's own row,
so no two make the same. A change that nobody works on any more is taken up by the minute's sweep.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import F

from followups import announcements, lifecycle
from followups.bulk.actions import Plan, plan, prepared, verb_of
from followups.bulk.selection import Selection
from followups.models import (
    BulkAction,
    BulkChange,
    BulkEnding,
    BulkRefusal,
    ChangeKind,
    FollowUp,
    FollowUpChange,
    Status,
)
from followups.policies import Action, may_change_many
from followups.wording.bulk import Refusal
from trochai.accounts.models import Membership
from trochai.changes import Kind, changed

if TYPE_CHECKING:
    import uuid

    from followups.bulk.actions import BulkVerb

logger = structlog.get_logger(__name__)

# Rows in one transaction: as many as hold a lock of a conversation or of a row, for some tenths of a second.
CHUNK = 200
# How many times as long as a chunk took to rest after it, while follow-ups go out; and at most, in seconds.
RESTS_IN_A_BURST = 12
LONGEST_REST = 15.0
# A worker that has made no chunk for so long is gone.
LOST_AFTER = dt.timedelta(seconds=30)
# A change whose chunks go wrong so often in a row is given up.
MOST_FAILURES = 5
KEEP_FINISHED = dt.timedelta(days=30)
# Refusals removed at once.
PURGE_CHUNK = 5_000
# What makes a row another one than whoever chose it has seen.
DECIDES = [
    ChangeKind.MOVED,
    ChangeKind.EDITED,
    ChangeKind.SENT_NOW,
    ChangeKind.RETRIED,
    ChangeKind.RESTORED,
    ChangeKind.HANDED_OVER,
]


def begin(
    selection: Selection,
    action: BulkAction,
    values: Mapping[str, Any],
    *,
    submission: uuid.UUID,
    by: Membership,
    now: dt.datetime,
) -> BulkChange:
    """Store a change and make its first chunk; the same submission again returns what it made before.

    A change of few rows is finished then; for the rest whoever calls it wakes a worker.
    """
    change, is_new = BulkChange.objects.get_or_create(
        organization=by.organization,
        submission=submission,
        defaults={
            "by": by.user,
            "action": action,
            "values": dict(values),
            "selection": selection.as_json(),
            "created_at": now,
        },
    )
    if is_new:
        advance(change.pk, now=now)
        change.refresh_from_db()
    return change


def request_stop(change: BulkChange, *, now: dt.datetime) -> None:
    """Have it end before its next chunk; what has changed by then stays."""
    BulkChange.objects.unfinished().filter(pk=change.pk, stop_requested_at=None).update(stop_requested_at=now)


def is_at_work(*, now: dt.datetime) -> bool:
    """Whether a worker is making changes at this moment, who takes up whatever else there is."""
    return BulkChange.objects.unfinished().filter(worked_at__gt=now - LOST_AFTER).exists()


def rest(took: float) -> float:
    """Return for how many seconds to rest after a chunk that took so many: longer while follow-ups go out."""
    going_out = FollowUp.objects.filter(status=Status.PROCESSING).exists()
    return min(took * (RESTS_IN_A_BURST if going_out else 1), LONGEST_REST)


def do_next(*, now: dt.datetime) -> bool:
    """Make one chunk, of each change in turn; False if there is nothing to do."""
    waiting = BulkChange.objects.unfinished().order_by(F("worked_at").asc(nulls_first=True), "pk")
    pk = waiting.values_list("pk", flat=True).first()
    if pk is None:
        return False
    try:
        advance(pk, now=now, worked_at=now)
    except Exception:
        # One change must not keep the others from being made.
        logger.exception("bulk_change_failed", bulk_change=pk)
        _count_failure(pk, now=now)
    return True


def advance(pk: int, *, now: dt.datetime, **columns: Any) -> None:
    """Make the next chunk of an unfinished change, or end it where nothing is left or it may not go on."""
    with transaction.atomic():
        unfinished = BulkChange.objects.unfinished().select_for_update(of=("self",), skip_locked=True)
        change = unfinished.select_related("organization", "by").filter(pk=pk).first()
        if change is None:
            return
        for name, value in columns.items():
            setattr(change, name, value)
        ending = _make_chunk(change, now)
        if ending:
            change.ending, change.finished_at = ending, now
            announcements.announce_bulk_ended(change, now=now)
        change.save()
    changed([change.organization_id], [Kind.FOLLOW_UPS])


def _make_chunk(change: BulkChange, now: dt.datetime) -> BulkEnding | None:
    """Make it; return how the change has ended, if it has."""
    by = _member(change)
    if by is None or not may_change_many(by, change.action):
        return BulkEnding.FORBIDDEN
    if change.stop_requested_at is not None:
        return BulkEnding.STOPPED
    selection = Selection.from_json(change.selection)
    rows = selection.rows(by)
    if change.total is None and change.worked_at is not None:  # a worker may count them, a request not
        change.total = rows.count()
    ids = list(rows.filter(pk__gt=change.cursor).order_by("pk").values_list("pk", flat=True)[:CHUNK])
    try:
        verb = verb_of(change)
    except ObjectDoesNotExist:
        return BulkEnding.FORBIDDEN
    planned = _planned(verb, ids, selection, by, now)
    for row in planned.wanted:
        person = str(row.in_charge_id or 0)
        change.concerned[person] = change.concerned.get(person, 0) + 1
    if planned.wanted:
        verb.apply(planned.wanted, by=by.user, now=now)
    BulkRefusal.objects.bulk_create(
        BulkRefusal(bulk_change=change, follow_up=row, code=code) for row, code in planned.refused.items()
    )
    change.failures = 0
    change.cursor = max(ids, default=change.cursor)
    change.changed += len(planned.wanted)
    change.refused += len(planned.refused)
    return BulkEnding.DONE if len(ids) < CHUNK else None


def _planned(
    verb: BulkVerb, ids: Sequence[int], selection: Selection, by: Membership, now: dt.datetime
) -> Plan:
    """Lock what can be changed, and plan for it as it is now; the others keep their reasons."""
    locked = lifecycle.lock(ids, with_counts=verb.action is Action.CANCEL)
    decided = FollowUpChange.objects.filter(follow_up__in=locked, kind__in=DECIDES, at__gt=selection.at)
    overtaken = set(decided.values_list("follow_up", flat=True))
    found = plan(verb, prepared(locked, by.organization), by=by, now=now)
    wanted = {row: each for row, each in found.wanted.items() if row.pk not in overtaken}
    changed_since = {row: Refusal.CHANGED for row in found.wanted if row.pk in overtaken}
    # Being sent, sent or deleted; or it was a moment ago.
    others = list(
        FollowUp.objects.filter(pk__in=ids).exclude(pk__in=[row.pk for row in locked]).order_by("pk")
    )
    not_there = plan(verb, prepared(others, by.organization), by=by, now=now)
    late = dict.fromkeys(not_there.wanted, Refusal.CHANGED)
    return Plan(wanted, {**found.refused, **changed_since, **not_there.refused, **late})


def _member(change: BulkChange) -> Membership | None:
    """Return whoever began it as a member by now."""
    theirs = Membership.objects.for_organization(change.organization).active().filter(user=change.by_id)
    return theirs.select_related("user", "organization").first()


def _count_failure(pk: int, *, now: dt.datetime) -> None:
    with transaction.atomic():
        unfinished = BulkChange.objects.unfinished().select_for_update(of=("self",))
        change = unfinished.select_related("organization", "by").filter(pk=pk).first()
        if change is None:
            return
        change.failures += 1
        change.worked_at = now
        if change.failures >= MOST_FAILURES:
            change.ending, change.finished_at = BulkEnding.BROKEN, now
            announcements.announce_bulk_ended(change, now=now)
        change.save()


def purge(*, now: dt.datetime) -> None:
    """Remove changes that ended 30 days ago, with the names of what they refused."""
    old = BulkChange.objects.filter(finished_at__lte=now - KEEP_FINISHED)
    refusals = BulkRefusal.objects.filter(bulk_change__in=old)
    while ids := list(refusals.values_list("pk", flat=True)[:PURGE_CHUNK]):
        BulkRefusal.objects.filter(pk__in=ids).delete()
    old.delete()
