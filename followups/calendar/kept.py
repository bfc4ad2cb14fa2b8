"""The counts of the days ahead: counted when somebody looks, or kept where they are too many for that.

What is kept is counted by a task, never with a change of a follow-up: a burst writes thousands of these a
second and would queue on any number that they all have to count up (docs/decisions/0032).
"""

from __future__ import annotations

import datetime as dt
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from followups.calendar import counting
from followups.calendar.counting import Counts, Span
from followups.models import CalendarCounts, CalendarDay
from trochai import changes
from trochai.accounts.models import Organization
from trochai.changes import Kind
from trochai.whatsapp.models import Channel

# Counting takes at most a twentieth of the time, and so long a pause in any case.
REST = 20
PAUSE = dt.timedelta(seconds=2)
STILL_MANY = dt.timedelta(minutes=10)
# Whoever counts has so long: if that worker dies, another counts after it.
LONGEST = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Known:
    """The counts of each day as of ``at`` (None: they have never been counted).

    Unless they are ``current`` a task should count again (``tasks.count_calendar``). ``stamp`` is another one
    for other counts; ``days`` and ``hours`` have those from the first to the last day that are named.
    """

    days: Callable[[dt.date, dt.date], Mapping[dt.date, Counts]]
    hours: Callable[[dt.date, dt.date], Mapping[dt.datetime, Counts]]
    at: dt.datetime | None
    is_current: bool
    stamp: str


def known(organization: Organization, channels: Sequence[Channel], span: Span, *, now: dt.datetime) -> Known:
    """Return what is known of these days; ``channels`` are the organization's."""
    token = changes.last_told(organization.pk, [Kind.FOLLOW_UPS])
    kept = CalendarCounts.objects.filter(organization=organization, span=str(span)).first()
    # What were many a moment ago are taken to be so still: finding that out is most of the work.
    if (kept is None or now - kept.counted_at > STILL_MANY) and counting.are_few(organization, span):
        return _few(counting.tally(organization, channels, span), now)
    if kept is None:
        return Known(_nothing, _nothing, None, is_current=False, stamp="")
    is_young = now - kept.counted_at < changes.LOOK_AGAIN
    return Known(
        days=lambda first, last: _days_of(organization, first, last),
        hours=lambda first, last: _hours_of(organization, first, last),
        at=kept.counted_at,
        is_current=is_young and bool(token) and token == kept.token,
        stamp=kept.counted_at.isoformat(),
    )


def count_again(organization: Organization, *, now: dt.datetime) -> dt.timedelta | None:
    """Count and keep what the calendar shows.

    If that is too soon, return after how long it may be done, once to one of those who ask.
    """
    kept, _is_new = CalendarCounts.objects.get_or_create(
        organization=organization, defaults={"counted_at": now}
    )
    mine = CalendarCounts.objects.filter(pk=kept.pk)
    if not mine.filter(Q(next_at__isnull=True) | Q(next_at__lte=now)).update(next_at=now + LONGEST):
        later = mine.filter(Q(again_at__isnull=True) | Q(again_at__lte=now)).update(again_at=F("next_at"))
        kept.refresh_from_db(fields=["next_at"])
        return kept.next_at - now if later and kept.next_at else None
    begun = time.monotonic()
    # Read before what it speaks of.
    token = changes.last_told(organization.pk, [Kind.FOLLOW_UPS])
    span = counting.sheet(organization, now)
    hours = counting.by_hour(
        counting.tally(organization, Channel.objects.for_organization(organization).only("pk"), span)
    )
    days = counting.by_day(hours)
    are_many = sum(counts.total for counts in days.values()) > counting.FEW
    with transaction.atomic():
        _keep(organization, days if are_many else {}, hours)
        pause = max(PAUSE, REST * dt.timedelta(seconds=time.monotonic() - begun))
        mine.update(
            span=str(span) if are_many else "",
            token=token,
            counted_at=now,
            next_at=now + pause,
            again_at=None,
        )
    changes.changed([organization.pk], [Kind.CALENDAR])
    return None


def _keep(
    organization: Organization, days: Mapping[dt.date, Counts], hours: Mapping[dt.datetime, Counts]
) -> None:
    by_day: dict[dt.date, dict[int, object]] = {}
    for hour, counts in hours.items():
        by_day.setdefault(hour.date(), {})[hour.hour] = counts.dump()
    CalendarDay.objects.filter(organization=organization).exclude(day__in=days).delete()
    CalendarDay.objects.bulk_create(
        [
            CalendarDay(organization=organization, day=day, total=total.dump(), hours=by_day[day])
            for day, total in days.items()
        ],
        update_conflicts=True,
        unique_fields=["organization", "day"],
        update_fields=["total", "hours"],
    )


def _few(tallies: Sequence[counting.Tally], now: dt.datetime) -> Known:
    hours = counting.by_hour(tallies)
    days = counting.by_day(hours)

    def days_within(first: dt.date, last: dt.date) -> Mapping[dt.date, Counts]:
        return {day: counts for day, counts in days.items() if first <= day <= last}

    def hours_within(first: dt.date, last: dt.date) -> Mapping[dt.datetime, Counts]:
        return {hour: counts for hour, counts in hours.items() if first <= hour.date() <= last}

    stamp = f"{zlib.crc32(repr(sorted(tallies)).encode()):08x}"
    return Known(days_within, hours_within, now, is_current=True, stamp=stamp)


def _days_of(organization: Organization, first: dt.date, last: dt.date) -> Mapping[dt.date, Counts]:
    days = CalendarDay.objects.filter(organization=organization, day__range=(first, last))
    return {day: Counts.load(total) for day, total in days.values_list("day", "total")}


def _hours_of(organization: Organization, first: dt.date, last: dt.date) -> Mapping[dt.datetime, Counts]:
    days = CalendarDay.objects.filter(organization=organization, day__range=(first, last))
    return {
        dt.datetime.combine(day, dt.time(int(hour))): Counts.load(counts)
        for day, hours in days.values_list("day", "hours")
        for hour, counts in hours.items()
    }


def _nothing(_first: dt.date, _last: dt.date) -> dict[Any, Counts]:
    return {}
