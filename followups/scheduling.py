"""When a follow-up may be sent: quick options, custom dates, the window, DST (pure; ``now`` is given).

Every datetime is aware. What is returned is in UTC: arithmetic between two datetimes of one zone would
ignore its DST changes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dateutil import tz
from django.utils.dateformat import format as date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trochai.accounts.quiet_hours import Quiet, next_good_moment, problem_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversations.models import Contact
    from trochai.accounts.models import Organization

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


class SchedulingError(Exception):
    """A time that cannot be scheduled.

    ``code`` says why; ``str()`` says what to do, in the language of whoever reads it.
    """

    code = "far_away"

    def __str__(self) -> str:
        return _("Choose a date that is nearer to today.")


class SkippedTime(SchedulingError):
    """A local time that does not exist, because the clocks go forward over it.

    ``next`` is the time to offer instead.
    """

    code = "skipped"

    def __init__(self, moment: dt.datetime, zone: dt.tzinfo) -> None:
        super().__init__(self.code)
        self.next = moment.astimezone(dt.UTC)
        self.zone = zone

    def __str__(self) -> str:
        following = date_format(self.next.astimezone(self.zone), "D j M, g:i A")
        words = _("The clocks go forward that day, so this time doesn’t exist. Choose %(next)s instead.")
        return words % {"next": following}


class OutsideWindow(SchedulingError):
    """A custom time that is sooner or later than the organization allows.

    ``code`` is past, too_soon or too_late.
    """

    def __init__(self, at: dt.datetime, now: dt.datetime, organization: Organization) -> None:
        self.code = "past" if at <= now else "too_soon" if at < earliest(now, organization) else "too_late"
        super().__init__(self.code)
        self.at, self.now, self.organization = at, now, organization

    def __str__(self) -> str:
        now, organization = self.now, self.organization
        return _("%(problem)s Choose a time from %(earliest)s to %(latest)s.") % {
            "problem": _problem(self.at, now, organization),
            "earliest": _in_words(earliest(now, organization), now, organization.zone),
            "latest": _in_words(latest(now, organization), now, organization.zone),
        }


class QuickChoice(NamedTuple):
    key: str
    label: Promise
    days: int
    time: dt.time


QUICK_OPTIONS = (
    QuickChoice("tomorrow_9", gettext_lazy("Tomorrow 9:00 AM"), 1, dt.time(9)),
    QuickChoice("in_2_days_10", gettext_lazy("In 2 days 10:00 AM"), 2, dt.time(10)),
    QuickChoice("in_1_week_9", gettext_lazy("In 1 week 9:00 AM"), 7, dt.time(9)),
)


@dataclass(frozen=True)
class QuickOption:
    """A quick choice with the moment that it means now."""

    key: str
    label: str
    days: int
    time: dt.time
    at: dt.datetime


def quick_options(now: dt.datetime, zone: dt.tzinfo) -> list[QuickOption]:
    """Return the three quick options, counted from today's date in ``zone``."""
    today = now.astimezone(zone).date()
    return [
        QuickOption(
            choice.key,
            str(choice.label),
            choice.days,
            choice.time,
            moved_forward(today + dt.timedelta(days=choice.days), choice.time, zone),
        )
        for choice in QUICK_OPTIONS
    ]


def moved_forward(date: dt.date, time: dt.time, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment at which clocks in ``zone`` show this date and time, for what is offered.

    A time that a DST change skips moves forward by itself; one that happens twice means the first.
    """
    return tz.resolve_imaginary(_local(date, time, zone)).astimezone(dt.UTC)


def custom(date: dt.date, time: dt.time, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment at which clocks in ``zone`` show this date and time, to the minute.

    A time that happens twice means the first. Raises ``SkippedTime`` for one that a DST change skips.
    """
    local = _local(date, time.replace(second=0, microsecond=0), zone)
    try:
        if not tz.datetime_exists(local):
            raise SkippedTime(tz.resolve_imaginary(local), zone)
        return local.astimezone(dt.UTC)
    except OverflowError as error:  # the first and the last day of the calendar
        raise SchedulingError from error


def _local(date: dt.date, time: dt.time, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(date, time.replace(fold=0), tzinfo=zone)


def earliest(now: dt.datetime, organization: Organization) -> dt.datetime:
    """Return the first full minute that a custom date may name: ``min_days`` from now.

    A day is 24 hours of elapsed time, so that a DST change in between moves the local time of day.
    """
    moment = now.astimezone(dt.UTC) + dt.timedelta(days=organization.min_days)
    floored = _floor(moment)
    return floored if floored == moment else floored + MINUTE


def latest(now: dt.datetime, organization: Organization) -> dt.datetime:
    """Return the last full minute that a custom date may name: ``max_days`` times 24 hours from now."""
    return _floor(now.astimezone(dt.UTC) + dt.timedelta(days=organization.max_days))


def check_window(at: dt.datetime, now: dt.datetime, organization: Organization) -> None:
    """Raise ``OutsideWindow`` unless ``earliest <= at <= latest``, both ends included."""
    if not earliest(now, organization) <= at <= latest(now, organization):
        raise OutsideWindow(at, now, organization)


def zones_of(contact: Contact, organization: Organization) -> Sequence[dt.tzinfo]:
    """Return by whose clocks it is quiet: where the contact may be, or the organization's."""
    return contact.zones or (organization.zone,)


def quiet_at(at: dt.datetime, contact: Contact, organization: Organization) -> Quiet | None:
    """Return what is quiet about the moment where the contact is; None if nothing is."""
    return problem_at(at, zones_of(contact, organization), organization.quiet_hours)


def next_good_choice(
    at: dt.datetime, contact: Contact, organization: Organization, now: dt.datetime
) -> dt.datetime | None:
    """Return the next moment that may be chosen and is good where the contact is; None if there is none.

    Where that may not be chosen yet, it is looked for from the same hour of the first day that may.
    """
    local, first = at.astimezone(organization.zone), earliest(now, organization)
    begin, days = at, 0
    while begin < first:
        days = max(days + 1, (first - at) // DAY)
        begin = moved_forward(local.date() + days * DAY, local.time(), organization.zone)
    good = next_good_moment(begin, zones_of(contact, organization), organization.quiet_hours)
    return good if good is not None and good <= latest(now, organization) else None


def _problem(at: dt.datetime, now: dt.datetime, organization: Organization) -> str:
    """Say what is wrong with a moment outside the window, in days as a calendar counts them."""
    if at <= now:
        return _("That’s in the past.")
    zone = organization.zone
    days = (at.astimezone(zone).date() - now.astimezone(zone).date()).days
    if at < earliest(now, organization) and days >= organization.min_days:
        limit = organization.min_days
        return ngettext(
            "That’s less than %(n)d day from now.", "That’s less than %(n)d days from now.", limit
        ) % {"n": limit}
    if at > latest(now, organization) and days <= organization.max_days:
        limit = organization.max_days
        return ngettext(
            "That’s more than %(n)d day from now.", "That’s more than %(n)d days from now.", limit
        ) % {"n": limit}
    if days == 0:
        return _("That’s today.")
    if days == 1:
        return _("That’s tomorrow.")
    return ngettext("That’s %(n)d day from now.", "That’s %(n)d days from now.", days) % {"n": days}


def _in_words(moment: dt.datetime, now: dt.datetime, zone: dt.tzinfo) -> str:
    local = moment.astimezone(zone)
    same_year = local.year == now.astimezone(zone).year
    return date_format(local, "D j M, g:i A" if same_year else "D j M Y, g:i A")


def _floor(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)
