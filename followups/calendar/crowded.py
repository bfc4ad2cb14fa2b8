"""Whether a day has more than WhatsApp lets the portfolio send, for whoever schedules one more."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from followups.calendar.counting import Span, waiting_within
from trochai.paging import Count, count_of
from trochai.whatsapp import messaging_limits
from trochai.whatsapp.models import Channel

# Beyond the limit it is counted no further.
BEYOND = 1_000


@dataclass(frozen=True)
class Crowded:
    """``due`` follow-ups wait for this day, as many as the ``limit`` of people, or more."""

    day: dt.date
    due: Count
    limit: int


def crowded_day(channel: Channel, at: dt.datetime, zone: dt.tzinfo) -> Crowded | None:
    """Return the day of ``at`` on the clock in ``zone`` if the portfolio of ``channel`` has no room in it.

    None also where its limit is not known. Reads as many rows of an index as the limit, and a few more.
    """
    theirs = Channel.objects.filter(organization=channel.organization_id).defer("account_news")
    channels = [each for each in theirs if each.portfolio == channel.portfolio]
    limit = messaging_limits.of_portfolios(channels).get(channel.portfolio)
    if limit is None or limit.people is None:
        return None
    day = at.astimezone(zone).date()
    span = Span(day, day, zone)
    due = count_of(waiting_within(span, channels), limit.people + BEYOND)
    return Crowded(day, due, limit.people) if due.value >= limit.people else None
