"""The organization's own presets beside the quick options: which moment each of them means now (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dateutil.rrule import MONTHLY, WEEKLY, rrule

from followups.models import PresetKind
from followups.scheduling import QuickOption, earliest, latest, moved_forward

if TYPE_CHECKING:
    from followups.models import Preset
    from trochai.accounts.models import Organization

PREFIX = "preset-"


def preset_options(
    presets: Iterable[Preset], now: dt.datetime, organization: Organization
) -> list[QuickOption]:
    """Return what each means, counted as the quick options are; without those that the window forbids now.

    A day of the week or of the month is the first that the window allows.
    """
    zone, found = organization.zone, []
    first, last = earliest(now, organization), latest(now, organization)
    today = now.astimezone(zone).date()
    for preset in presets:
        days = _days(preset, today, first.astimezone(zone).date())
        moments = (moved_forward(day, preset.time, zone) for day in days)
        at = next((moment for moment in moments if first <= moment <= last), None)
        if at is not None:
            ahead = (at.astimezone(zone).date() - today).days
            found.append(QuickOption(f"{PREFIX}{preset.pk}", preset.name, ahead, preset.time, at))
    return found


def _days(preset: Preset, today: dt.date, first: dt.date) -> Iterable[dt.date]:
    """Return the days that it may mean, the nearest first; ``first`` is the first of the window."""
    match preset.kind:
        case PresetKind.WEEKDAY:
            rule = rrule(WEEKLY, dtstart=_midnight(first), byweekday=preset.number - 1, count=2)
        case PresetKind.DAY_OF_MONTH:
            rule = rrule(MONTHLY, dtstart=_midnight(first), bymonthday=preset.number, count=2)
        case PresetKind.WEEKS:
            return [today + dt.timedelta(weeks=preset.number)]
        case _:
            return [today + dt.timedelta(days=preset.number)]
    return [each.date() for each in rule]


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())
