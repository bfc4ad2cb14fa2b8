"""Moments in words, in the active time zone (the organization's, inside a request)."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

DAY = "D j M"
TIME = "g:i A"


def day(moment: dt.datetime, now: dt.datetime) -> str:
    """Fri 27 Nov, and in another year than now's Wed 6 Jan 2027"""
    return _dated(moment, now, DAY)


def noon(date: dt.date) -> dt.datetime:
    """Return a moment that is on this date in the current time zone, for what speaks of a day."""
    return timezone.make_aware(dt.datetime.combine(date, dt.time(12)))


def month(moment: dt.datetime, now: dt.datetime) -> str:
    """September, and in another year than now's September 2025"""
    return _dated(moment, now, "F")


def clock_time(moment: dt.datetime) -> str:
    """9:00 AM"""
    return _written(timezone.localtime(moment), TIME)


def hours(begin: dt.time, end: dt.time) -> str:
    """8:00 AM to 8:00 PM"""
    words = {"begin": date_format(begin, TIME), "end": date_format(end, TIME)}
    return _("%(begin)s to %(end)s") % words


def clock_times(moment: dt.datetime, zones: Iterable[dt.tzinfo]) -> list[str]:
    """Return how late it is in these zones, each time once, the earliest first."""
    locally = {moment.astimezone(zone).replace(tzinfo=None) for zone in zones}
    return [_written(local, TIME) for local in sorted(locally)]


def day_time(moment: dt.datetime, now: dt.datetime) -> str:
    """Fri 27 Nov, 9:00 AM, and in another year Wed 6 Jan 2027, 9:00 AM"""
    return f"{day(moment, now)}, {clock_time(moment)}"


def long_day_time(moment: dt.datetime, now: dt.datetime) -> str:
    """Friday 27 November at 9:00 AM, and in another year Wednesday 6 January 2027 at 9:00 AM"""
    words = {"day": _dated(moment, now, "l j F"), "time": clock_time(moment)}
    return _("%(day)s at %(time)s") % words


def short_age(moment: dt.datetime, now: dt.datetime) -> str:
    """For lists: 9:12 AM today, then Yesterday, Wed within the week, 13 Nov, 13 Nov 2025."""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    days = (today.date() - local.date()).days
    if days <= 0:
        return _written(local, TIME)
    if days == 1:
        return _("Yesterday")
    if days < 7:
        return _written(local, "D")
    return _written(local, "j M" if local.year == today.year else "j M Y")


def day_separator(moment: dt.datetime, now: dt.datetime) -> str:
    """Today, Yesterday, Wed 18 Nov, Wed 18 Nov 2025"""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    days = (today.date() - local.date()).days
    if days == 0:
        return _("Today")
    if days == 1:
        return _("Yesterday")
    return day(moment, now)


def relative(moment: dt.datetime, now: dt.datetime) -> str:
    """in 7 days, in 3 hours, now, 15 minutes ago, yesterday. Too vague to stand without the date itself."""
    days = (timezone.localtime(moment).date() - timezone.localtime(now).date()).days
    seconds = (moment - now).total_seconds()
    if days == -1 and seconds < -12 * 3600:
        return _("yesterday")
    if days == 1 and seconds > 12 * 3600:
        return _("tomorrow")
    if abs(days) > 1:
        amount = ngettext("%(n)d day", "%(n)d days", abs(days)) % {"n": abs(days)}
    elif abs(seconds) >= 3600:
        hours = round(abs(seconds) / 3600)
        amount = ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    elif abs(seconds) >= 60:
        minutes = round(abs(seconds) / 60)
        amount = ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    else:
        return _("now")
    return (_("in %(amount)s") if seconds > 0 else _("%(amount)s ago")) % {"amount": amount}


def short_duration(length: dt.timedelta) -> str:
    """22 h, or below one hour 45 min: rounded down, for how much time is left."""
    minutes = max(0, int(length.total_seconds() // 60))
    if minutes >= 60:
        return _("%(n)d h") % {"n": minutes // 60}
    return _("%(n)d min") % {"n": minutes}


def _written(local: dt.datetime, style: str) -> str:
    # Without its zone: one moment is equal to itself in every zone, and reads otherwise in each.
    return _kept(local.replace(second=0, microsecond=0, tzinfo=None), style, get_language())


@lru_cache(maxsize=20_000)
def _kept(local: dt.datetime, style: str, _language: str | None) -> str:
    """``dateformat.format``, kept: a list's moments are drawn again with each look at it."""
    return date_format(local, style)


def _dated(moment: dt.datetime, now: dt.datetime, style: str) -> str:
    local = timezone.localtime(moment)
    return _written(local, style if local.year == timezone.localtime(now).year else f"{style} Y")


# The characters that change the direction of what stands around them, rather than being of one.
_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def isolated(name: str) -> str:
    """Return what a stranger is called for use within a sentence, whose order it cannot change.

    Source: Unicode Bidirectional Algorithm (UAX 9): FSI and PDI around what runs from right to left.
    """
    name = plain(name)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in name):
        return f"\u2068{name}\u2069"
    return name


def plain(name: str) -> str:
    """Return the name without what changes the order around it, as what ``isolated`` puts there."""
    return name.translate(_CONTROLS)
