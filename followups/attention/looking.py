"""Looks at what waits, and keeps what needs attention about it (``Attention``).

What was found before is compared with what is found now: a look that finds nothing new writes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from followups.attention.causes import causes_of
from followups.attention.keeping import Found, Key, write
from followups.attention.limits import look_at_days
from followups.attention.numbers import numbers_before
from followups.models import Attention, AttentionCause, AttentionLook, FollowUp, FollowUpQuerySet, in_charge
from trochai.accounts.models import DayOff, Membership, Organization, SendingHours

CHUNK = 500
# Longer than from one night's look to the next: what has not been looked at since was left out.
OVERDUE = dt.timedelta(hours=25)
# Whoever looks at all of an organization has so long: if that worker dies, another looks after it.
LONGEST = dt.timedelta(hours=1)

# By organization.
Days = dict[int, set[dt.date]]


class Concerned(StrEnum):
    """By what a look finds its rows; each goes with ids."""

    FOLLOW_UPS = "follow_ups"
    RETRIES = "retries"
    CONTACT = "contact"
    TEMPLATE = "template"
    PERSON = "person"
    ORGANIZATION = "organization"


def concerned(by: Concerned, pks: Collection[int]) -> FollowUpQuerySet:
    """Return the rows that a change of these may concern: of follow-ups themselves all, else what waits."""
    if by is Concerned.FOLLOW_UPS:
        return FollowUp.objects.filter(pk__in=pks)
    if by is Concerned.RETRIES:
        return FollowUp.objects.filter(pk__in=pks, organization__in=_warned_of_quiet_hours())
    filters = {
        Concerned.CONTACT: Q(conversation__contact__in=pks),
        Concerned.TEMPLATE: Q(template__in=pks),
        Concerned.PERSON: in_charge(pks),
        Concerned.ORGANIZATION: Q(organization__in=pks),
    }
    return FollowUp.objects.visible().unsettled().filter(filters[by])


def _warned_of_quiet_hours() -> QuerySet[Organization]:
    """Return the organizations in which something goes out although it is quiet."""
    of_each = {"organization": OuterRef("pk")}
    hours, days = SendingHours.objects.filter(**of_each), DayOff.objects.filter(**of_each)
    with_any = Q(keeps_holidays=True) | Exists(hours) | Exists(days)
    return Organization.objects.filter(with_any, quiet_hours_are_a_rule=False)


def look(follow_ups: FollowUpQuerySet, *, now: dt.datetime, stop: Callable[[], bool] = lambda: False) -> bool:
    """Bring what is kept about these rows up to date, chunk by chunk; those that wait no more lose it.

    Return whether it came to their end before it was to ``stop``.
    """
    last, is_whole = 0, False
    days: Days = defaultdict(set)
    while not stop():
        ahead = follow_ups.filter(pk__gt=last).order_by("pk")
        pks = list(ahead.values_list("pk", flat=True)[:CHUNK])
        if not pks:
            is_whole = True
            break
        for organization, theirs in _look_at(pks, now=now).items():
            days[organization] |= theirs
        last = pks[-1]
    for organization, theirs in days.items():
        look_at_days(organization, theirs, now=now)
    return is_whole


def look_at_all(*, now: dt.datetime, stop: Callable[[], bool]) -> None:
    """Look at all that waits, one organization after another, and forget what is left of other rows."""
    _look_at_each(Organization.objects.all(), now=now, stop=stop)
    left = Attention.objects.filter(
        Q(follow_up__next_attempt_at__isnull=True) | Q(follow_up__deleted_at__isnull=False)
    )
    while not stop() and (pks := list(left.order_by("pk").values_list("pk", flat=True)[:CHUNK])):
        Attention.objects.filter(pk__in=pks).delete()


def look_at_overdue(*, now: dt.datetime, stop: Callable[[], bool]) -> None:
    """Look at what the nights have left out: never yet, as after an update, or broken off half-way."""
    recent = AttentionLook.objects.filter(organization=OuterRef("pk"), looked_at__gt=now - OVERDUE)
    _look_at_each(Organization.objects.exclude(Exists(recent)), now=now, stop=stop)


def _look_at_each(
    organizations: QuerySet[Organization], *, now: dt.datetime, stop: Callable[[], bool]
) -> None:
    """Look at all that waits of these, where no other worker is at it."""
    waiting = FollowUp.objects.visible().unsettled().filter(organization=OuterRef("pk"))
    with_any = organizations.filter(Exists(waiting)).order_by("pk")
    for pk in list(with_any.values_list("pk", flat=True)):
        AttentionLook.objects.get_or_create(organization_id=pk)
        mine = AttentionLook.objects.filter(pk=pk)
        if not mine.exclude(begun_at__gt=now - LONGEST).update(begun_at=now):
            continue
        is_whole = look(concerned(Concerned.ORGANIZATION, [pk]), now=now, stop=stop)
        mine.update(begun_at=None, **({"looked_at": now} if is_whole else {}))
        if not is_whole:
            return


def _look_at(pks: Sequence[int], *, now: dt.datetime) -> Days:
    """Return which days of which organizations these rows are on."""
    with transaction.atomic():
        # One look at an organization after another: whoever has read before a change writes before whoever
        # has read after it. Nobody who sends waits for this.
        theirs = FollowUp.objects.filter(pk__in=pks).order_by().values("organization")
        locked = Organization.objects.select_for_update(no_key=True).filter(pk__in=theirs).order_by("pk")
        days: Days = {organization.pk: set() for organization in locked}
        rows = {row.pk: row for row in _loaded(pks)}
        for row in rows.values():
            days[row.organization_id].add(_day(row))
        kept = {
            (each.follow_up_id, each.cause): each
            for each in Attention.objects.filter(follow_up__in=pks)
            if each.cause != AttentionCause.LIMIT or not _stands(each, rows.get(each.follow_up_id), now)
        }
        organizations = {row.pk: row.organization_id for row in rows.values()}
        write(_found(list(rows.values()), now), kept, organizations, now=now)
    return days


def _day(row: FollowUp) -> dt.date:
    return (row.next_attempt_at or row.scheduled_for).astimezone(row.organization.zone).date()


def _stands(limit: Attention, row: FollowUp | None, now: dt.datetime) -> bool:
    """Whether it still waits for that day: whether it is beyond the day's limit is for ``limits`` to say."""
    if row is None or row.held_reason or limit.subject != _day(row).isoformat():
        return False
    return _day(row) >= now.astimezone(row.organization.zone).date()


def _loaded(pks: Sequence[int]) -> list[FollowUp]:
    """Load those that wait or are being sent; what they share is read once."""
    rows = FollowUp.objects.visible().unsettled().filter(pk__in=pks).select_related("conversation__contact")
    shared = ("organization__sending_hours", "organization__days_off", "template", "owner", "created_by")
    return list(rows.prefetch_related(*shared).order_by("pk"))


def _found(rows: Sequence[FollowUp], now: dt.datetime) -> dict[Key, Found]:
    writers = _writers(rows)
    before = numbers_before(rows)
    return {
        (row.pk, str(cause)): found
        for row in rows
        for cause, found in causes_of(
            row,
            now,
            has_left=(row.organization_id, row.in_charge_id) not in writers,
            number_before=before.get(row.pk, ""),
        ).items()
    }


def _writers(rows: Sequence[FollowUp]) -> set[tuple[int, int | None]]:
    """Return who may write in which of their organizations, of all who are in charge."""
    members = Membership.objects.writers().filter(
        organization__in={row.organization_id for row in rows}, user__in={row.in_charge_id for row in rows}
    )
    return set(members.values_list("organization_id", "user_id"))
