"""On which days a follow-up is repeated, and at which moments that is (pure).

A rule is about the clock on the wall: "every month on day 31, at 9:00". A month without that day means its
last one; a fifth Thursday means the last one. A time that a DST change skips moves forward on that day alone,
one that happens twice means the first, as for the quick options.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from dateutil.rrule import MONTHLY, WEEKLY, YEARLY, rrule, weekday
from django.db import models
from django.utils.translation import gettext_lazy as _

from followups.scheduling import DAY, moved_forward

# How often, or for how long, something is repeated that ends by itself.
MOST_TIMES = 60
MOST_YEARS = 10
# February has so many days in every year.
IN_EVERY_MONTH = 28


class RepeatKind(models.TextChoices):
    """How often; on which day of the week, month or year, the first date says."""

    WEEKLY = "weekly", _("Weekly")
    MONTHLY = "monthly", _("Monthly on a date")
    MONTHLY_WEEKDAY = "monthly_weekday", _("Monthly on a weekday")
    MONTHLY_LAST = "monthly_last", _("Monthly on the last such weekday")
    QUARTERLY = "quarterly", _("Every three months")
    YEARLY = "yearly", _("Yearly")


class EndKind(models.TextChoices):
    NEVER = "never", _("Never")
    COUNT = "count", _("After a number of times")
    DATE = "date", _("On a date")


# The fewest days from one date to the next, in any year.
SHORTEST_STEPS = {
    RepeatKind.WEEKLY: 7,
    RepeatKind.MONTHLY: 28,
    RepeatKind.MONTHLY_WEEKDAY: 28,
    RepeatKind.MONTHLY_LAST: 28,
    RepeatKind.QUARTERLY: 89,
    RepeatKind.YEARLY: 365,
}


@dataclass(frozen=True)
class Repeat:
    """How somebody wants a follow-up repeated, beginning with its own date; as ``Series`` has it."""

    kind: RepeatKind
    ends: EndKind = EndKind.NEVER
    count: int | None = None
    until: dt.date | None = None
    ends_on_failure: bool = True
    ends_on_reply: bool = False

    def rule(self, at: dt.datetime, zone: dt.tzinfo) -> Rule:
        """Return the rule of what begins at this moment."""
        return Rule(self.kind, *_local(at, zone), self.count, self.until)

    def rule_after(self, underway: Underway, zone: dt.tzinfo, *, to: dt.datetime | None = None) -> Rule:
        """Return the rule by which it goes on, as somebody has changed it.

        ``to`` is where they move the one that waits.
        What they have not changed stays: a 31st is one also while the one that waits is on the 28th, and the
        hour is the rule's where that one was moved by itself.
        """
        rule, number = underway
        first_on, time = (underway.day, rule.time) if to is None else _local(to, zone)
        if self.kind == rule.kind and first_on == underway.day:
            return replace(rule, time=time, count=self.count, until=self.until)
        return Rule(fitting_kind(self.kind, first_on), first_on, time, self.count, self.until, number)


class Occurrence(NamedTuple):
    """One date of a rule; ``number`` counts from 1."""

    number: int
    at: dt.datetime


@dataclass(frozen=True)
class Rule:
    """When a follow-up is repeated: at the local ``time``, on ``first_on`` and at each step after it.

    ``first_number`` is which occurrence ``first_on`` is: not the first where a person has moved all that
    follow from one on. It ends with the occurrence number ``count`` or after the day ``until``, or never.
    """

    kind: RepeatKind
    first_on: dt.date
    time: dt.time
    count: int | None = None
    until: dt.date | None = None
    first_number: int = 1

    def occurrences(self, zone: dt.tzinfo, *, after: int = 0) -> Iterator[Occurrence]:
        """Yield those with numbers above ``after``, in UTC."""
        for number, day in enumerate(self._days(self.until), start=self.first_number):
            if self.count is not None and number > self.count:
                return
            if number > after:
                yield Occurrence(number, moved_forward(day, self.time, zone))

    def coming(self, zone: dt.tzinfo, *, after: int, now: dt.datetime, most: int) -> list[Occurrence]:
        """Return the first ``most`` of those with numbers above ``after`` that are still ahead."""
        ahead = (each for each in self.occurrences(zone, after=after) if each.at > now)
        return list(islice(ahead, most))

    def day(self, number: int) -> dt.date:
        """Return the day of that occurrence, also of one after the end."""
        return next(islice(self._days(None), number - self.first_number, None))

    def _days(self, until: dt.date | None) -> Iterator[dt.date]:
        midnight = dt.datetime.combine(self.first_on, dt.time())
        end = dt.datetime.combine(until, dt.time()) if until else None
        return (each.date() for each in rrule(dtstart=midnight, until=end, **self._steps()))

    def _steps(self) -> dict[str, Any]:
        on = self.first_on
        match self.kind:
            case RepeatKind.WEEKLY:
                return {"freq": WEEKLY}
            case RepeatKind.MONTHLY_WEEKDAY:
                return {"freq": MONTHLY, "byweekday": weekday(on.weekday(), week_of_month(on))}
            case RepeatKind.MONTHLY_LAST:
                return {"freq": MONTHLY, "byweekday": weekday(on.weekday(), -1)}
            case RepeatKind.MONTHLY:
                return {"freq": MONTHLY, **_day_or_last(on)}
            case RepeatKind.QUARTERLY:
                return {"freq": MONTHLY, "interval": 3, **_day_or_last(on)}
        return {"freq": YEARLY, "bymonth": on.month, **_day_or_last(on)}


class Underway(NamedTuple):
    """The rule by which something is repeated already, and the number of the occurrence that waits."""

    rule: Rule
    number: int

    @property
    def day(self) -> dt.date:
        """On which the rule has that one, wherever it was moved by itself."""
        return self.rule.day(self.number)


def kinds_for(first_on: dt.date, *, min_days: int) -> list[RepeatKind]:
    """Return how what begins on that day can be repeated, without a step of fewer than ``min_days``."""
    fitting = set(RepeatKind)
    if not is_last_of_month(first_on):
        fitting.remove(RepeatKind.MONTHLY_LAST)
    if week_of_month(first_on) < 0:  # the fifth is the last
        fitting.remove(RepeatKind.MONTHLY_WEEKDAY)
    return [kind for kind in RepeatKind if kind in fitting and SHORTEST_STEPS[kind] >= min_days]


def fitting_kind(kind: RepeatKind, first_on: dt.date) -> RepeatKind:
    """Return what ``kind`` means from another day on: the last Friday may become the second Tuesday."""
    monthly = {RepeatKind.MONTHLY_WEEKDAY, RepeatKind.MONTHLY_LAST}
    if kind in monthly and kind not in kinds_for(first_on, min_days=1):
        return (monthly - {kind}).pop()
    return kind


def most_times(number: int) -> int:
    """Return after how many times in all it may end, where the occurrence with that number waits."""
    return number - 1 + MOST_TIMES


def is_beyond(until: dt.date | None, first_on: dt.date) -> bool:
    """Whether it would end later than may be chosen."""
    return until is not None and until.year > first_on.year + MOST_YEARS


def week_of_month(day: dt.date) -> int:
    """Return 1 for the first such weekday of its month, up to 4; -1 for the fifth, which few months have."""
    number = (day.day - 1) // 7 + 1
    return number if number < 5 else -1


def is_last_of_month(day: dt.date) -> bool:
    """Whether it is the last such weekday of its month."""
    return (day + 7 * DAY).month != day.month


def _day_or_last(on: dt.date) -> dict[str, Any]:
    """Return the last of the days up to that one which a month has."""
    return {"bymonthday": [*range(min(on.day, IN_EVERY_MONTH), on.day + 1)], "bysetpos": -1}


def _local(at: dt.datetime, zone: dt.tzinfo) -> tuple[dt.date, dt.time]:
    local = at.astimezone(zone)
    return local.date(), local.time()
