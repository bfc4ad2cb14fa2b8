"""What is said about what would go wrong with a follow-up, by its cause; rows keep codes and values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.models import AttentionCause
from templates_app.models import TemplateStatus
from trochai.ui.formatting import day, hours, isolated, noon


class About(NamedTuple):
    """How a cause looks, and what comes of it if nobody does anything."""

    icon: str
    consequence: Promise
    # It would not go out at all; the others would misfire or annoy.
    would_fail: bool = False


CAUSES: Mapping[str, About] = {
    AttentionCause.TEMPLATE: About(
        "circle-pause", gettext_lazy("As they are they would fail."), would_fail=True
    ),
    AttentionCause.OPTED_OUT: About("user-round-x", gettext_lazy("They would be refused."), would_fail=True),
    AttentionCause.NUMBER: About("smartphone", gettext_lazy("They go to the number that is known now.")),
    AttentionCause.LEFT: About(
        "user-round-minus", gettext_lazy("Nobody is told when these are sent or fail.")
    ),
    AttentionCause.QUIET: About("moon", gettext_lazy("They would arrive when nobody wants to be disturbed.")),
    AttentionCause.HOLIDAY: About("calendar-off", gettext_lazy("A day on which nothing is sent.")),
    AttentionCause.LIMIT: About("gauge", gettext_lazy("Those that come last would not go out that day.")),
}


TITLES: Mapping[str, Promise] = {
    AttentionCause.OPTED_OUT: gettext_lazy("%(contact)s opted out"),
    AttentionCause.NUMBER: gettext_lazy("%(contact)s has another number"),
    AttentionCause.LEFT: gettext_lazy("%(name)s has left"),
    AttentionCause.QUIET: gettext_lazy("Quiet hours where the contact is"),
    AttentionCause.HOLIDAY: gettext_lazy("%(name)s, %(day)s"),
    AttentionCause.LIMIT: gettext_lazy("Over the limit on %(day)s"),
}
OF_A_DAY = {AttentionCause.HOLIDAY, AttentionCause.LIMIT}


def title(cause: str, subject: str, values: Mapping[str, Any], today: dt.date) -> str:
    """Return what is wrong with all that have this cause and subject: Luis Mora has left."""
    if cause == AttentionCause.TEMPLATE:
        return _template(values)
    named = {name: _named(values, name) for name in ("contact", "name")}
    return str(TITLES[cause]) % {**named, "day": _day(subject, today) if cause in OF_A_DAY else ""}


def detail(cause: str, values: Mapping[str, Any]) -> str:
    """Return what the values of one tell besides; empty where that is nothing."""
    match cause:
        case AttentionCause.NUMBER if values.get("before") and values.get("after"):
            return _("%(before)s is now %(after)s.") % {"before": values["before"], "after": values["after"]}
        case AttentionCause.QUIET if values.get("zone") and values.get("hours"):
            begin, end = map(dt.time.fromisoformat, values["hours"].split("–"))
            words = {"hours": hours(begin, end), "zone": values["zone"]}
            return _("There it is sent within %(hours)s (%(zone)s).") % words
        case AttentionCause.LIMIT if values.get("due") and values.get("limit"):
            words = {"due": f"{values['due']:,}", "limit": f"{values['limit']:,}"}
            return _("%(due)s are due, WhatsApp lets %(limit)s through.") % words
    return ""


def _template(values: Mapping[str, Any]) -> str:
    words = {"template": _named(values, "template")}
    status = values.get("status", TemplateStatus.APPROVED)
    if status == TemplateStatus.APPROVED:
        return _("%(template)s no longer fits the values") % words
    label = str(TemplateStatus(status).label) if status in TemplateStatus.values else status
    return _("%(template)s can’t be sent: %(status)s") % {**words, "status": label.lower()}


def _named(values: Mapping[str, Any], name: str) -> str:
    return isolated(str(values.get(name) or _("Somebody")))


def _day(subject: str, today: dt.date) -> str:
    return day(noon(dt.date.fromisoformat(subject)), noon(today))
