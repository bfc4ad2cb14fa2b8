"""How a follow-up is repeated, and why it is not any more, in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.models import SeriesEnd
from followups.repeating import IN_EVERY_MONTH, RepeatKind, Rule, week_of_month
from trochai.ui import formatting

WEEKS: Mapping[int, Promise] = {
    1: gettext_lazy("first"),
    2: gettext_lazy("second"),
    3: gettext_lazy("third"),
    4: gettext_lazy("fourth"),
    -1: gettext_lazy("last"),
}
# What ends it besides its dates, by the names of ``Series``' columns.
ENDINGS: Mapping[str, Promise] = {
    "ends_on_failure": gettext_lazy("End it if one of them fails"),
    "ends_on_reply": gettext_lazy("Only until an answer comes"),
}
ENDED: Mapping[str, Promise] = {
    SeriesEnd.DATES: gettext_lazy("It was the last date."),
    SeriesEnd.MEMBER: gettext_lazy("Ended by %(by)s."),
    SeriesEnd.REPLY: gettext_lazy("The contact replied."),
    SeriesEnd.FAILURE: gettext_lazy("One of them failed. Schedule another once the cause is gone."),
    SeriesEnd.OPT_OUT: gettext_lazy("The contact no longer wants messages."),
    SeriesEnd.ERASED: gettext_lazy("The contact was erased."),
}


def steps(kind: str, first_on: dt.date) -> str:
    """Every Thursday, every month on day 3, every month on the first Thursday, every year on 3 December"""
    words = {
        "day": first_on.day,
        "weekday": date_format(first_on, "l"),
        "week": WEEKS[-1 if kind == RepeatKind.MONTHLY_LAST else week_of_month(first_on)],
        "date": date_format(first_on, "j F"),
    }
    match kind:
        case RepeatKind.WEEKLY:
            return _("Every %(weekday)s") % words
        case RepeatKind.MONTHLY_WEEKDAY | RepeatKind.MONTHLY_LAST:
            return _("Every month on the %(week)s %(weekday)s") % words
        case RepeatKind.MONTHLY:
            return _("Every month on day %(day)d") % words
        case RepeatKind.QUARTERLY:
            return _("Every 3 months on day %(day)d") % words
    return _("Every year on %(date)s") % words


def sentence(rule: Rule, today: dt.date) -> str:
    """Every Friday, until 18 Dec; every month on day 3, 6 times"""
    how = steps(rule.kind, rule.first_on)
    if rule.count is not None:
        times = ngettext("%(how)s, %(n)d time in all", "%(how)s, %(n)d times in all", rule.count)
        return times % {"how": how, "n": rule.count}
    if rule.until is not None:
        until = date_format(rule.until, "j M" if rule.until.year == today.year else "j M Y")
        return _("%(how)s, until %(day)s") % {"how": how, "day": until}
    return how


def is_short_at_times(rule: Rule) -> bool:
    """Whether some months have no such day, so that their last one is meant."""
    return rule.first_on.day > IN_EVERY_MONTH and rule.kind in {
        RepeatKind.MONTHLY,
        RepeatKind.QUARTERLY,
        RepeatKind.YEARLY,
    }


def ended(cause: str, by: str) -> str:
    """Why no more come. ``by``: a member's name, or nothing where the account is gone."""
    if cause == SeriesEnd.MEMBER and not by:
        return _("Ended by somebody who left.")
    return str(ENDED[cause]) % {"by": by}


def skipped(dates: Sequence[str], count: int, made: str) -> str:
    """Fri 4 Dec and Fri 11 Dec; where there are more than are named, how many. All UTC, ISO."""
    now = dt.datetime.fromisoformat(made)
    named = [formatting.day(timezone.localtime(dt.datetime.fromisoformat(each)), now) for each in dates]
    listed = str(get_text_list(named, _("and")))
    if count <= len(named):
        return listed
    return _("%(count)d dates up to %(last)s") % {"count": count, "last": named[-1]}
