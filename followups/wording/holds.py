"""What is said of a hold: what is held, by whom, and what becomes of what is late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.models import Hold, HoldCause, HoldScope, Late
from trochai.ui import formatting

# After a release.
LATE: Mapping[str, Promise] = {
    Late.SEND: gettext_lazy("What was late is sent now as well."),
    Late.TOMORROW: gettext_lazy("What was late goes out tomorrow at 9:00 AM."),
    Late.LEAVE: gettext_lazy("What was too late fails as missed."),
}


def title(scope: str, channel: str) -> str:
    """Say what is held; ``channel`` is its name, where it is one."""
    if scope == HoldScope.CHANNEL:
        return _("Sending from %(channel)s is on hold") % {"channel": channel}
    return _("Sending is on hold")


def who(cause: str, name: str) -> str:
    """Return who has begun it; ``name`` is empty for whoever has left."""
    match cause:
        case HoldCause.OPERATOR:
            return _("Trochai’s operator")
        case HoldCause.SILENCE:
            return _("Trochai")
    return name or _("Somebody who left")


def in_full(hold: Hold, now: dt.datetime | None = None) -> str:
    """Sending is on hold since 8:40 AM by Daniela: “Wrong price”"""
    return _("%(headline)s: “%(reason)s”") % {"headline": headline(hold, now), "reason": reason(hold)}


def reason(hold: Hold) -> str:
    """Return why: what somebody has written, or what Trochai itself says."""
    if hold.reason or hold.silent_since is None:
        return hold.reason
    return _("Nothing had been sent since %(since)s. If a backup was restored, look before you release.") % {
        "since": formatting.day_time(hold.silent_since, hold.since)
    }


def headline(hold: Hold, now: dt.datetime | None = None) -> str:
    """Sending is on hold since 8:40 AM by Daniela; with the day, if not today or without ``now``."""
    same_day = now is not None and timezone.localdate(hold.since) == timezone.localdate(now)
    day_time = formatting.day_time(hold.since, now or hold.since)
    since = formatting.clock_time(hold.since) if same_day else day_time
    name = formatting.isolated(hold.by.first_name or str(hold.by)) if hold.by else ""
    what = title(hold.scope, formatting.isolated(hold.channel.name) if hold.channel else "")
    return _("%(what)s since %(since)s by %(who)s") % {
        "what": what,
        "since": since,
        "who": who(hold.cause, name),
    }
