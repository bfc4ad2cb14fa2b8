"""What is said about a moment at which it is night, or a day off, where a contact is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext as _

from followups.presets import PREFIX
from followups.scheduling import QuickOption, earliest, latest, next_good_choice, quiet_at, zones_of
from trochai.accounts.quiet_hours import Quiet, next_good_moment
from trochai.ui import formatting

if TYPE_CHECKING:
    from conversations.models import Contact
    from trochai.accounts.models import Organization


@dataclass(frozen=True)
class QuietNotice:
    """``lead`` says how late it is there, ``why`` what is wrong with it.

    ``good`` is the next moment that may be chosen instead, if there is one, in the organization's zone, and
    ``good_there`` says when that is there.
    """

    lead: str
    why: str
    good: dt.datetime | None
    good_there: str

    def __str__(self) -> str:
        return f"{self.lead}{self.why}"


def quiet_notice(
    at: dt.datetime,
    contact: Contact,
    organization: Organization,
    now: dt.datetime,
    *,
    goes_anyway: bool = False,
) -> QuietNotice | None:
    """Return what to say about sending to the contact at that moment; None if there is nothing to say.

    What is offered instead lies in the organization's window. ``goes_anyway``: it would not wait, although
    quiet hours are a rule, as a person sends it now.
    """
    quiet = quiet_at(at, contact, organization)
    if quiet is None:
        return None
    zones, rules = zones_of(contact, organization), organization.quiet_hours
    waits, until = "", next_good_moment(at, zones, rules)
    if organization.quiet_hours_are_a_rule and until and not goes_anyway:
        when = _time_or_day(until.astimezone(quiet.zone), quiet.local)
        waits = _(" It would wait until %(when)s there.") % {"when": when}
    good = next_good_moment(max(at, earliest(now, organization)), zones, rules)
    if good is not None and good > latest(now, organization):
        good = None
    return QuietNotice(
        lead=_("%(time)s in %(place)s") % {"time": _time(quiet.local), "place": place(quiet.zone)},
        why=f"{_why(quiet)}{waits}",
        good=good.astimezone(organization.zone) if good else None,
        good_there=_time_or_day(good.astimezone(quiet.zone), quiet.local) if good else "",
    )


def way_out(
    at: dt.datetime, contact: Contact, organization: Organization, now: dt.datetime
) -> QuickOption | None:
    """Return the next good moment as one that can be chosen by a click; None if ``at`` is good itself."""
    quiet = quiet_at(at, contact, organization)
    good = next_good_choice(at, contact, organization, now) if quiet else None
    if quiet is None or good is None:
        return None
    local = good.astimezone(organization.zone)
    days = (local.date() - now.astimezone(organization.zone).date()).days
    there = _time_or_day(good.astimezone(quiet.zone), quiet.local)
    label = _("Move to %(when)s there") % {"when": there}
    return QuickOption(f"{PREFIX}good", label, days, local.time(), good)


def waits_words(until: dt.datetime, zone: str, now: dt.datetime) -> str:
    """Waits until 8:00 AM in Madrid, or on another day until Mon 7 Dec, 8:00 AM"""
    there = ZoneInfo(zone)
    when = _time_or_day(until.astimezone(there), now.astimezone(there))
    return _("Waits until %(when)s in %(place)s") % {"when": when, "place": place(there)}


def place(zone: dt.tzinfo) -> str:
    """America/Costa_Rica → Costa Rica"""
    return str(zone).rpartition("/")[2].replace("_", " ")


def _why(quiet: Quiet) -> str:
    if quiet.day_off:
        return _(", on %(holiday)s.") % {"holiday": quiet.day_off}
    if quiet.day_off is not None or quiet.hours is None:
        return _(", on %(day)s, when nothing goes out.") % {"day": date_format(quiet.local, "l j F")}
    return _(", outside %(hours)s there.") % {"hours": formatting.hours(*quiet.hours)}


def _time(local: dt.datetime) -> str:
    return date_format(local, formatting.TIME)


def _time_or_day(local: dt.datetime, before: dt.datetime) -> str:
    same_day = local.date() == before.date()
    return _time(local) if same_day else date_format(local, f"{formatting.DAY}, {formatting.TIME}")
