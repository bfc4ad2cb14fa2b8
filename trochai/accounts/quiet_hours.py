"""When nothing should go out where a contact is: outside an organization's hours, or on a day off (pure).

A contact may be in one of several zones; it is quiet for them while it is in any.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from dateutil import tz

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
# How far a good moment is looked for: where it is day in no two of the zones at once there is none.
HORIZON = 60 * DAY

Hours = tuple[dt.time, dt.time]
ALL_DAY: Hours = (dt.time.min, dt.time.max)


@dataclass(frozen=True)
class Rules:
    """``hours``: from and until by ISO weekday, both included. If there are any, a weekday without is quiet.

    ``day_off`` returns the name of a day that is quiet, and None for others.
    """

    hours: Mapping[int, Hours] = field(default_factory=dict)
    day_off: Callable[[dt.date], str | None] = field(default=lambda _day: None)

    def on(self, day: dt.date) -> Hours | None:
        """Return from when to when messages go out that day, or None if it is quiet all day."""
        if self.day_off(day) is not None:
            return None
        return self.hours.get(day.isoweekday()) if self.hours else ALL_DAY

    def is_quiet(self, first: dt.datetime, last: dt.datetime) -> bool:
        """Whether nothing goes out from one minute of a day to another, both included, by the clock there."""
        hours = self.on(first.date())
        return hours is None or last.time() < hours[0] or hours[1] < first.time()


@dataclass(frozen=True)
class Quiet:
    """Why a moment is quiet: how late it is in ``zone``, and the ``hours`` of that day, if it has any."""

    zone: dt.tzinfo
    local: dt.datetime
    hours: Hours | None
    # What the day is called, where it is a day off.
    day_off: str | None


def problem_at(moment: dt.datetime, zones: Sequence[dt.tzinfo], rules: Rules) -> Quiet | None:
    """Return what is quiet about the moment, in the first of the zones in which it is; None if in none."""
    for zone in zones:
        local = moment.astimezone(zone)
        hours = rules.on(local.date())
        time = local.time().replace(second=0, microsecond=0)
        if hours is None or not hours[0] <= time <= hours[1]:
            return Quiet(zone, local, hours, rules.day_off(local.date()))
    return None


def next_good_moment(moment: dt.datetime, zones: Sequence[dt.tzinfo], rules: Rules) -> dt.datetime | None:
    """Return the first moment from then on that is quiet in no zone, in UTC; None if ``HORIZON`` has none.

    Hours that are over on the night on which the clocks go back into them do not begin anew.
    """
    at: dt.datetime | None = moment.astimezone(dt.UTC)
    while at is not None and at <= moment + HORIZON:
        problem = problem_at(at, zones, rules)
        if problem is None:
            return at
        at = next(_openings(at, problem.zone, rules), None)
    return None


def _openings(after: dt.datetime, zone: dt.tzinfo, rules: Rules) -> Iterator[dt.datetime]:
    """Yield the moments after that one at which hours begin in the zone, the next first."""
    today = after.astimezone(zone).date()
    for days in range(HORIZON // DAY + 2):
        day = today + days * DAY
        hours = rules.on(day)
        if hours is None:
            continue
        local = dt.datetime.combine(day, hours[0], tzinfo=zone)
        # Hours that begin while the clocks go forward begin when they have; turned back, they begin twice.
        while not tz.datetime_exists(local):
            local += MINUTE
        for at in sorted({local.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1)}):
            if at > after:
                yield at


@cache
def holidays_of(country: str) -> Callable[[dt.date], str | None]:
    """Return what finds the name of a public holiday of the country (ISO 3166-1); None where it is none."""
    # Only for organizations that keep them.
    import holidays

    if country not in holidays.list_supported_countries():
        return lambda _day: None
    return holidays.country_holidays(country, language="en_US").get
