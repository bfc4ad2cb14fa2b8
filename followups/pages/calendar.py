"""The calendar as one request sees it: a sheet of all days ahead, a week of hours, and one day."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from itertools import groupby, islice
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from followups.calendar import counting, kept
from followups.calendar.counting import Counts, Span
from followups.calendar.load import Load, Numbers
from followups.models import FollowUp
from followups.pages.listing import DateRange, Filters, Tab
from followups.wording import calendar as wording
from followups.wording.calendar import written
from trochai import changes
from trochai.accounts.access import MemberRequest
from trochai.accounts.quiet_hours import Rules
from trochai.paging import Cursor
from trochai.ui.addresses import url
from trochai.whatsapp.models import Channel

# How many rows of each hour a day shows, and what of them.
FIRST = 3
# A day of so many is looked through for them; putting together a query by the hour takes longer.
LOOKED_THROUGH = 2_000
SHOWN = (
    "organization_id",
    "template_id",
    "status",
    "scheduled_for",
    "conversation__contact__name",
    "conversation__contact__phone",
    "conversation__contact__erased_at",
)
# The hours that a week shows in any case.
FROM, TO = 7, 20
# Older counts than this are shown with their time.
NEW = dt.timedelta(seconds=10)

_HALF, _LAST_MINUTE = dt.timedelta(minutes=30), dt.timedelta(minutes=59)
_DAY = dt.timedelta(days=1)
_WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class Day:
    """One day of the sheet; ``remarks`` are sentences that should be read before it is scheduled for."""

    date: dt.date
    counts: Counts
    load: Load | None
    today: dt.date
    is_beyond: bool
    # Every other month is shaded.
    is_shaded: bool
    # The month is named where it begins.
    has_month: bool
    # What it is called where it is a day off or a holiday, or nothing.
    off: str
    # Nothing goes out all day; only the week asks.
    is_quiet: bool = False

    @property
    def is_today(self) -> bool:
        return self.date == self.today

    @property
    def is_past(self) -> bool:
        return self.date < self.today

    @property
    def is_bare(self) -> bool:
        """Whether it shows nothing; what was canceled is only in its name and in its list."""
        return not (self.counts.pending or self.counts.sent or self.counts.failed)

    @property
    def url(self) -> str:
        return day_url(self.date)

    @property
    def short_name(self) -> str:
        """Tue 1 Dec"""
        return written(self.date, "D j M")

    @property
    def weekday(self) -> str:
        return written(self.date, "D")

    @property
    def month(self) -> str:
        return written(self.date, "M")

    @property
    def summary(self) -> str:
        """118 due; 2,356, about 356 over; 88 sent"""
        if self.load is not None and self.load.over:
            return wording.over(self.load)
        return next(iter(wording.counted(self.counts)), _("Quiet all day") if self.is_quiet else "")

    @property
    def remarks(self) -> list[str]:
        return wording.remarks(self.load)

    @property
    def label(self) -> str:
        """Tuesday 1 December, Army Abolition Day: 2,356 pending, 2,356 of 2,000 a day"""
        name = ", ".join(filter(None, [wording.day_name(self.date), self.off]))
        parts = wording.counted(self.counts) or [_("nothing")]
        if self.load is not None and self.load.over:
            parts.append(wording.of_limit(self.load))
        if self.is_quiet:
            parts.append(_("quiet all day"))
        return f"{name}: {', '.join(parts)}"


class Quietness(Enum):
    """How much of an hour is quiet by the organization's clock. Of its minutes the counts say nothing."""

    NONE = 0
    PART = 1
    WHOLE = 2

    @classmethod
    def of(cls, hour: dt.datetime, rules: Rules) -> Quietness:
        """Return that of the hour that begins then. Hours until 8:00 PM leave one minute of the next one."""
        if rules.is_quiet(hour, hour + _LAST_MINUTE):
            return cls.WHOLE
        return cls.PART if rules.is_quiet(hour + _HALF, hour + _HALF) else cls.NONE

    @property
    def label(self) -> str:
        match self:
            case Quietness.PART:
                return _("partly in quiet hours")
            case Quietness.WHOLE:
                return _("in quiet hours")
        return ""


@dataclass(frozen=True)
class Cell:
    """What stands in the week at one hour of one day."""

    slot: Slot | None
    quiet: Quietness

    @property
    def is_hatched(self) -> bool:
        return self.quiet is not Quietness.NONE


@dataclass(frozen=True)
class Slot:
    """One hour of one day in the week."""

    hour: dt.datetime
    counts: Counts
    # What it takes of the day's limit, in percent; None where that is not known.
    percent: float | None
    # The day's limit is used up in this hour or before.
    is_over: bool
    seconds: int
    quiet: Quietness

    @property
    def is_misplaced(self) -> bool:
        """Whether something is due in it although it is quiet."""
        return self.quiet is Quietness.WHOLE and bool(self.counts.pending)

    @cached_property
    def url(self) -> str:
        return f"{day_url(self.hour.date())}#hour-{self.hour.hour}"

    @property
    def shown(self) -> int:
        """What is still to be sent, or else what has been or has failed."""
        return self.counts.pending or self.counts.total

    @property
    def tone(self) -> str:
        """Of the dot beside what is over: the worst of it."""
        return "bad" if self.counts.failed else "ok" if self.counts.sent else ""

    @cached_property
    def duration(self) -> str:
        return wording.takes(self.seconds) if self.seconds else ""

    @property
    def label(self) -> str:
        """Tue 1 Dec, 8:00 PM: 2 pending, takes 1 s, in quiet hours"""
        parts = wording.counted(self.counts)
        if self.duration:
            parts.append(_("takes %(duration)s") % {"duration": self.duration})
        if self.quiet.label:
            parts.append(self.quiet.label)
        when = f"{written(self.hour, 'D j M')}, {wording.hour_name(self.hour)}"
        return f"{when}: {', '.join(parts)}"


@dataclass(frozen=True)
class Hour:
    """One hour of the day that is open, with its first few follow-ups."""

    hour: dt.datetime
    counts: Counts
    seconds: int
    rows: list[FollowUp]
    list_url: str
    quiet: Quietness

    @property
    def name(self) -> str:
        return wording.hour_name(self.hour)

    @property
    def summary(self) -> str:
        """2,140 pending · 29 s · in quiet hours"""
        takes = wording.takes(self.seconds) if self.seconds else ""
        return " · ".join(filter(None, [*wording.counted(self.counts), takes, self.quiet.label]))


class CalendarPage:
    """Built once a request; each part asks the database when it is first needed."""

    def __init__(self, request: MemberRequest, *, now: dt.datetime) -> None:
        self.membership = request.membership
        self.organization = request.membership.organization
        self.now = now
        self.today = now.astimezone(self.organization.zone).date()
        self.last = self.today + dt.timedelta(days=self.organization.max_days)
        # Of what the page shows (``trochai.changes``): before anything else is asked for.
        self.version = changes.version(self.membership, changes.DAYS_AHEAD, now=now)

    @cached_property
    def sheet(self) -> Span:
        return counting.sheet(self.organization, self.now)

    @cached_property
    def numbers(self) -> Numbers:
        return Numbers.of(self._channels)

    @cached_property
    def known(self) -> kept.Known:
        return kept.known(self.organization, self._channels, self.sheet, now=self.now)

    @property
    def fingerprint(self) -> str:
        """A hash of what is shown: what is the same is not sent to an open page again."""
        shown = (self.known.stamp, self._as_of, self.numbers.limits, self.today)
        return f"{zlib.crc32(repr(shown).encode()):08x}"

    def month_context(self) -> dict[str, Any]:
        days = [self._day(date, self._counts.get(date, Counts())) for date in self.sheet]
        ahead = [day for day in days if self.today <= day.date <= self.last]
        return {
            **self._context,
            "view": "month",
            "weeks": [days[begin : begin + 7] for begin in range(0, len(days), 7)],
            "headings": [written(day.date, "D") for day in days[:7]],
            "horizon": Horizon(ahead, self._limit),
        }

    def week_context(self, on: dt.date | None) -> dict[str, Any]:
        """``on``: a day of the week that is asked for; one that the sheet does not have means this week."""
        on = on if on is not None and on in self.sheet else self.today
        monday = on - dt.timedelta(days=on.weekday())
        rules = self.organization.quiet_hours
        dates = [monday + n * _DAY for n in range(7)]
        counts = self.known.days(monday, dates[-1])
        days = [
            replace(self._day(date, counts.get(date, Counts())), is_quiet=rules.on(date) is None)
            for date in dates
        ]
        found = self.known.hours(monday, days[-1].date)
        columns = [self._slots(day, found) for day in days]
        used = [hour for column in columns for hour in column]
        hours = range(min([FROM, *used]), max([TO, *used]) + 1)
        return {
            **self._context,
            "view": "week",
            "days": days,
            "title": f"{written(days[0].date, 'j M')} – {written(days[-1].date, 'j M Y')}",
            "over": [day for day in days if day.remarks],
            "hours": [
                (wording.hour_name(time), list(self._cells(dates, time, columns)))
                for time in map(dt.time, hours)
            ],
            "has_quiet_hours": bool(rules.hours) or any(rules.day_off(day.date) is not None for day in days),
            "zone": self.organization.timezone,
            "before_url": self._week_url(monday - _WEEK),
            "after_url": self._week_url(monday + _WEEK),
            "here": self._week_url(monday),
        }

    def day_context(self, date: dt.date) -> dict[str, Any]:
        """Raises ``KeyError`` for a day that the sheet does not have."""
        if date not in self.sheet:
            raise KeyError(date)
        day = self._day(date, self.known.days(date, date).get(date, Counts()))
        hours = dict(sorted(self.known.hours(date, date).items()))
        rows = self._first_rows(date, list(hours))
        return {
            **self._context,
            "day": day,
            "title": wording.day_name(date),
            "counted": wording.counted(day.counts),
            "of_limit": day.load and wording.of_limit(day.load),
            "hours": [
                Hour(
                    hour,
                    counts,
                    self.numbers.seconds(counts),
                    rows.get(hour, []),
                    self._list_url(hour, counts),
                    Quietness.of(hour, self.organization.quiet_hours),
                )
                for hour, counts in hours.items()
            ],
            "list_url": _list_url(Filters(date=DateRange.CUSTOM, first=date, last=date)),
            "here": day.url,
        }

    def _day(self, date: dt.date, counts: Counts) -> Day:
        first = self.sheet.first
        months = 12 * (date.year - first.year) + date.month - first.month
        return Day(
            date=date,
            counts=counts,
            load=None if date < self.today else self.numbers.load(counts),
            today=self.today,
            is_beyond=date > self.last and not counts.total,
            is_shaded=bool(months % 2),
            has_month=date.day == 1 or date == first,
            off=wording.day_off(self.organization.day_off(date))
            or wording.working_holiday(self.organization.working_holiday(date)),
        )

    @cached_property
    def _counts(self) -> Mapping[dt.date, Counts]:
        return self.known.days(self.sheet.first, self.sheet.last)

    def _is_empty(self) -> bool:
        return not any(counts.pending for counts in self._counts.values())

    @cached_property
    def _channels(self) -> list[Channel]:
        return list(Channel.objects.for_organization(self.organization).defer("account_news"))

    @property
    def _limit(self) -> int | None:
        limit = self.numbers.only_limit
        return limit.people if limit else None

    @property
    def _as_of(self) -> dt.datetime | None:
        """When it was counted, if that is so long ago that it should be said."""
        at = self.known.at
        return None if self.known.is_current or at is None or self.now - at < NEW else at

    @cached_property
    def _context(self) -> dict[str, Any]:
        return {
            "section": "followups",
            "version": self.version,
            "seen": self.fingerprint,
            "ahead": self.organization.max_days,
            "is_counted": self.known.at is not None,
            "as_of": self._as_of,
            "is_empty": self._is_empty,
            "limit": self.numbers.only_limit,
            "limit_words": self.numbers.only_limit and wording.limit(self.numbers.only_limit, self.now),
            "numbers": list(self.numbers.channels.values()),
            "here": reverse("followups:calendar"),
            "week_url": reverse("followups:calendar_week"),
        }

    def _cells(self, dates: list[dt.date], time: dt.time, columns: list[dict[int, Slot]]) -> Iterator[Cell]:
        for date, column in zip(dates, columns, strict=True):
            slot = column.get(time.hour)
            hour = dt.datetime.combine(date, time)
            yield Cell(slot, slot.quiet if slot else Quietness.of(hour, self.organization.quiet_hours))

    def _slots(self, day: Day, hours: Mapping[dt.datetime, Counts]) -> dict[int, Slot]:
        """Return the hours of the day that have anything, by the clock's hour."""
        slots: dict[int, Slot] = {}
        # What has been sent today comes before what is due.
        used = day.load.used - sum(day.counts.due.values()) if day.load else 0
        for hour, counts in sorted(hours.items()):
            if hour.date() != day.date or not (counts.total or counts.due):
                continue
            due = sum(counts.due.values())
            used += due
            slots[hour.hour] = Slot(
                hour=hour,
                counts=counts,
                percent=round(min(100.0, 100 * due / day.load.limit), 1) if day.load else None,
                is_over=bool(day.load and due and used > day.load.limit),
                seconds=self.numbers.seconds(counts),
                quiet=Quietness.of(hour, self.organization.quiet_hours),
            )
        return slots

    def _week_url(self, monday: dt.date) -> str:
        if monday not in self.sheet:
            return ""
        return f"{reverse('followups:calendar_week')}?{urlencode({'on': monday.isoformat()})}"

    def _list_url(self, hour: dt.datetime, counts: Counts) -> str:
        """Return the list of the day, from this hour on; of what has been, the hours before follow."""
        begins = hour.replace(tzinfo=self.organization.zone).astimezone(dt.UTC)
        of_day = Filters(date=DateRange.CUSTOM, first=hour.date(), last=hour.date())
        if counts.pending:
            return _list_url(of_day.with_tab(Tab.PENDING).beyond(Cursor((begins, 0))))
        return _list_url(of_day.beyond(Cursor((begins + dt.timedelta(hours=1), 0))))

    def _first_rows(self, date: dt.date, hours: list[dt.datetime]) -> dict[dt.datetime, list[FollowUp]]:
        """Return the first few follow-ups of each hour that has any."""
        if not hours:
            return {}
        rows = FollowUp.objects.filter(pk__in=self._first_of(date, hours))
        rows = rows.select_related("conversation__contact").prefetch_related("template").only(*SHOWN)
        by_hour = groupby(rows.order_by("scheduled_for", "pk"), lambda row: self._hour(row.scheduled_for))
        return {hour: list(found) for hour, found in by_hour}

    def _first_of(self, date: dt.date, hours: list[dt.datetime]) -> list[int]:
        """Return their ids. Where there are many, one query finds them, each hour by its index."""
        theirs = FollowUp.objects.for_organization(self.organization).order_by("scheduled_for", "pk")
        day = Span(date, date, self.sheet.zone)
        of_day = theirs.filter(scheduled_for__gte=day.begins, scheduled_for__lt=day.ends)
        moments = list(of_day.values_list("scheduled_for", "pk")[: LOOKED_THROUGH + 1])
        if len(moments) <= LOOKED_THROUGH:
            by_hour = groupby(moments, lambda found: self._hour(found[0]))
            return [pk for _hour, found in by_hour for _moment, pk in islice(found, FIRST)]
        first, *others = [
            FollowUp.objects.filter(
                pk__in=theirs.filter(**_within(hour, self.sheet.zone))[:FIRST].values("pk")
            ).values_list("pk", flat=True)
            for hour in hours
        ]
        return list(first.union(*others, all=True))

    def _hour(self, moment: dt.datetime) -> dt.datetime:
        """Return the hour of the clock that it lies in; one that happens twice is one."""
        local = moment.astimezone(self.sheet.zone)
        return local.replace(minute=0, second=0, microsecond=0, fold=0, tzinfo=None)


class Horizon:
    """The bars of all days ahead in one picture, as tall as what is due, with the limit as a line."""

    STEP = 10
    # Of the picture, in its own units: the ground, the tallest bar and the least that is seen.
    GROUND, TALLEST, LEAST = 48.0, 46.0, 2.0

    def __init__(self, days: list[Day], limit: int | None) -> None:
        self.days, self.limit = days, limit
        self._top = max([limit or 0, *(day.counts.pending for day in days)]) or 1

    @property
    def width(self) -> int:
        return self.STEP * len(self.days)

    @property
    def limit_at(self) -> float | None:
        return None if self.limit is None else round(self.GROUND - self.TALLEST * self.limit / self._top, 1)

    @property
    def bars(self) -> Iterator[tuple[int, float, float, str]]:
        """Yield where each bar begins, its top and height, and its tone."""
        for number, day in enumerate(self.days):
            if day.counts.pending:
                height = round(max(self.LEAST, self.TALLEST * day.counts.pending / self._top), 1)
                tone = (day.load and day.load.tone) or ("now" if day.is_today else "")
                yield number * self.STEP, round(self.GROUND - height, 1), height, tone

    @property
    def months(self) -> list[tuple[str, int, int]]:
        """Each month's name, how many of its days there are, and how much is due in it."""
        months: dict[dt.date, list[Day]] = {}
        for day in self.days:
            months.setdefault(day.date.replace(day=1), []).append(day)
        return [
            (written(month, "M"), len(days), sum(day.counts.pending for day in days))
            for month, days in months.items()
        ]

    @property
    def label(self) -> str:
        """What it shows, in words: from when to when, and which days are over the limit."""
        words = {
            "first": wording.day_name(self.days[0].date),
            "last": wording.day_name(self.days[-1].date),
        }
        over = [wording.day_name(day.date) for day in self.days if day.load and day.load.over]
        text = _("Follow-ups due each day from %(first)s to %(last)s.") % words
        return f"{text} {_('Over the limit: %(days)s.') % {'days': ', '.join(over)}}" if over else text


def day_url(date: dt.date) -> str:
    return url("followups:calendar_day", date.year, date.month, date.day)


def _within(hour: dt.datetime, zone: dt.tzinfo) -> dict[str, dt.datetime]:
    """Return the filter for an hour of the clock; one that happens twice has both."""
    begins = hour.replace(tzinfo=zone)
    return {
        "scheduled_for__gte": begins.astimezone(dt.UTC),
        "scheduled_for__lt": (begins + dt.timedelta(hours=1)).replace(fold=0).astimezone(dt.UTC),
    }


def _list_url(filters: Filters) -> str:
    return reverse("followups:index") + filters.query
