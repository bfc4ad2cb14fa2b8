"""What the calendar says of a day, an hour and what they take."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from django.utils.dateformat import format as date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from followups.calendar.counting import Counts
from followups.calendar.crowded import Crowded
from followups.calendar.load import Load
from trochai.ui.formatting import day_time
from trochai.whatsapp.messaging_limits import MessagingLimit

COUNTED: dict[str, Promise] = {
    "pending": gettext_lazy("%(n)s pending"),
    "sent": gettext_lazy("%(n)s sent"),
    "failed": gettext_lazy("%(n)s failed"),
    "canceled": gettext_lazy("%(n)s canceled"),
}


def written(day: dt.date | dt.time, style: str) -> str:
    """``dateformat.format``, kept: a sheet has a hundred days, which are written with each look at it."""
    return _kept(day, style, get_language())


@lru_cache(maxsize=5_000)
def _kept(day: dt.date | dt.time, style: str, _language: str | None) -> str:
    return date_format(day, style)


def day_name(day: dt.date) -> str:
    """Tuesday 1 December"""
    return written(day, "l j F")


def day_off(name: str | None) -> str:
    """Return what a day off is called; nothing for other days (None)."""
    return "" if name is None else name or _("Day off")


def working_holiday(name: str | None) -> str:
    """Independence Day, a working day here; nothing for other days (None)."""
    return _("%(holiday)s, a working day here") % {"holiday": name} if name else ""


def hour_name(hour: dt.datetime | dt.time) -> str:
    """9:00 AM"""
    return written(dt.time(hour.hour, hour.minute), "g:i A")


def counted(counts: Counts) -> list[str]:
    """2,356 pending, 14 sent, 2 failed, 1 canceled: those that there are."""
    found = [(getattr(counts, name), text) for name, text in COUNTED.items()]
    return [str(text) % {"n": f"{number:,}"} for number, text in found if number]


def takes(seconds: int) -> str:
    """29 s, 4 min, 2 h: how long it takes to send, rounded up."""
    if seconds < 60:
        return _("%(n)d s") % {"n": seconds}
    if seconds < 3600:
        return _("%(n)d min") % {"n": -(-seconds // 60)}
    return _("%(n)d h") % {"n": -(-seconds // 3600)}


def of_limit(load: Load) -> str:
    """2,356 of 2,000"""
    return _("%(used)s of %(limit)s") % {"used": f"{load.used:,}", "limit": f"{load.limit:,}"}


def over(load: Load) -> str:
    """2,356, about 356 over"""
    return _("%(used)s, about %(over)s over") % {"used": f"{load.used:,}", "over": f"{load.over:,}"}


def limit(told: MessagingLimit, now: dt.datetime) -> str:
    """Return what WhatsApp has said of the portfolio, and when."""
    words = {"at": day_time(told.at, now)}
    if told.people is None:
        text = _("The WhatsApp portfolio may write to any number of people, as WhatsApp said on %(at)s.")
        return text % words
    text = _(
        "Limit: %(people)s people in 24 hours whom the WhatsApp portfolio may write to first, as WhatsApp "
        "said on %(at)s."
    )
    return text % {**words, "people": f"{told.people:,}"}


def crowded(found: Crowded) -> str:
    """Return a warning for whoever wants to schedule one more for this day."""
    text = _(
        "%(day)s: about %(due)s follow-ups already, of %(limit)s people whom your WhatsApp portfolio may "
        "write to first within 24 hours. WhatsApp may refuse the last ones, unless they have just written."
    )
    words = {"day": written(found.day, "D j M"), "due": found.due, "limit": f"{found.limit:,}"}
    return text % words


def remarks(load: Load | None) -> list[str]:
    """Return what should be known of a day: that it is over the limit."""
    if load is None or not load.over:
        return []
    text = _(
        "About %(over)s more than the %(limit)s people a day whom your WhatsApp portfolio may write to "
        "first: WhatsApp may refuse the last ones. Whoever wrote to you within the 24 hours before does not "
        "count."
    )
    return [text % {"over": f"{load.over:,}", "limit": f"{load.limit:,}"}]
