"""Looks at what waits, and keeps what needs attention about it (``Attention``).

What was found before is compared with what is found now: a look that finds nothing new writes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from followups.attention.causes import Found, causes_of
from followups.attention.numbers import numbers_before
from followups.models import Attention, AttentionCause, AttentionQuerySet, FollowUp, FollowUpQuerySet
from trochai.accounts.models import Membership, Organization
from trochai.changes import Kind, changed

if TYPE_CHECKING:
    from trochai.accounts.models import User

CHUNK = 500
# What somebody is called is no reason to ask anew whether it goes out all the same.
NAMES = frozenset({"contact", "name", "template"})


class Concerned(StrEnum):
    """By what a look finds its rows; each goes with ids."""

    FOLLOW_UPS = "follow_ups"
    CONTACT = "contact"
    TEMPLATE = "template"
    PERSON = "person"
    ORGANIZATION = "organization"


def concerned(by: Concerned, pks: Collection[int]) -> FollowUpQuerySet:
    """Return the rows that a change of these may concern: of follow-ups themselves all, else what waits."""
    if by is Concerned.FOLLOW_UPS:
        return FollowUp.objects.filter(pk__in=pks)
    filters = {
        Concerned.CONTACT: Q(conversation__contact__in=pks),
        Concerned.TEMPLATE: Q(template__in=pks),
        Concerned.PERSON: Q(owner__in=pks) | Q(owner=None, created_by__in=pks),
        Concerned.ORGANIZATION: Q(organization__in=pks),
    }
    return FollowUp.objects.visible().unsettled().filter(filters[by])


def look(follow_ups: FollowUpQuerySet, *, now: dt.datetime, stop: Callable[[], bool] = lambda: False) -> None:
    """Bring what is kept about these rows up to date, chunk by chunk; those that wait no more lose it."""
    last = 0
    while not stop():
        ahead = follow_ups.filter(pk__gt=last).order_by("pk")
        pks = list(ahead.values_list("pk", flat=True)[:CHUNK])
        if not pks:
            break
        _look_at(pks, now=now)
        last = pks[-1]


def look_at_all(*, now: dt.datetime, stop: Callable[[], bool]) -> None:
    """Look at all that waits, one organization after another, and forget what is left of other rows."""
    waiting = FollowUp.objects.visible().unsettled().filter(organization=OuterRef("pk"))
    organizations = Organization.objects.filter(Exists(waiting)).order_by("pk")
    for pk in list(organizations.values_list("pk", flat=True)):
        look(concerned(Concerned.ORGANIZATION, [pk]), now=now, stop=stop)
    left = Attention.objects.filter(
        Q(follow_up__next_attempt_at__isnull=True) | Q(follow_up__deleted_at__isnull=False)
    )
    while not stop() and (pks := list(left.order_by("pk").values_list("pk", flat=True)[:CHUNK])):
        Attention.objects.filter(pk__in=pks).delete()


def keep(attention: AttentionQuerySet, *, by: User, now: dt.datetime) -> int:
    """Have these go out all the same: nobody is asked again while they stay as they are; return how many."""
    with transaction.atomic():
        open_ones = attention.filter(kept_at__isnull=True)
        organizations = set(open_ones.order_by().values_list("organization", flat=True).distinct())
        kept = open_ones.update(kept_at=now, kept_by=by)
        if kept:
            changed(organizations, [Kind.FOLLOW_UPS])
    return kept


def _look_at(pks: Sequence[int], *, now: dt.datetime) -> None:
    with transaction.atomic():
        # One look at an organization after another: whoever has read before a change writes before whoever
        # has read after it. Nobody who sends waits for this.
        theirs = FollowUp.objects.filter(pk__in=pks).order_by().values("organization")
        list(Organization.objects.select_for_update(no_key=True).filter(pk__in=theirs).order_by("pk"))
        rows = _loaded(pks)
        found = _found(rows, now)
        kept = {(each.follow_up_id, each.cause): each for each in Attention.objects.filter(follow_up__in=pks)}
        over = [each for key, each in kept.items() if key not in found]
        news = [
            _written(follow_up, cause, each, kept.get((follow_up.pk, cause)), now)
            for follow_up in rows
            for cause in AttentionCause
            if (each := found.get((follow_up.pk, cause))) and _is_news(each, kept.get((follow_up.pk, cause)))
        ]
        if over:
            Attention.objects.filter(pk__in=[each.pk for each in over]).delete()
        Attention.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["follow_up", "cause"],
            update_fields=["subject", "values", "found_at", "kept_at", "kept_by"],
        )
        changed({each.organization_id for each in [*over, *news]}, [Kind.FOLLOW_UPS])


def _loaded(pks: Sequence[int]) -> list[FollowUp]:
    """Load those that wait or are being sent; what they share is read once."""
    rows = FollowUp.objects.visible().unsettled().filter(pk__in=pks).select_related("conversation__contact")
    shared = ("organization__sending_hours", "organization__days_off", "template", "owner", "created_by")
    return list(rows.prefetch_related(*shared).order_by("pk"))


def _found(rows: Sequence[FollowUp], now: dt.datetime) -> dict[tuple[int, str], Found]:
    writers = _writers(rows)
    before = numbers_before(rows)
    return {
        (row.pk, cause): found
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


def _is_news(found: Found, kept: Attention | None) -> bool:
    return kept is None or (kept.subject, kept.values) != found


def _written(
    follow_up: FollowUp, cause: AttentionCause, found: Found, kept: Attention | None, now: dt.datetime
) -> Attention:
    """Return what is to be kept; what somebody has decided stays while it is about the same."""
    written = Attention(
        organization_id=follow_up.organization_id,
        follow_up=follow_up,
        cause=cause,
        subject=found.subject,
        values=found.values,
        found_at=now,
    )
    if kept is not None and kept.subject == found.subject and _unnamed(kept.values) == _unnamed(found.values):
        written.found_at, written.kept_at, written.kept_by_id = kept.found_at, kept.kept_at, kept.kept_by_id
    return written


def _unnamed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in NAMES}
