"""Whether a day has more than WhatsApp lets the portfolio send, for whoever schedules or moves one there."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from followups.calendar.counting import Span, waiting_within
from trochai.paging import Count, count_of
from trochai.whatsapp import messaging_limits
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.models import Organization

# Beyond the limit it is counted no further.
BEYOND = 1_000


@dataclass(frozen=True)
class Crowded:
    """``due`` follow-ups wait for this day, as many as the ``limit`` of people, or more."""

    day: dt.date
    due: Count
    limit: int


def _due_within(span: Span, channels: Iterable[Channel | int], people: int) -> Count:
    """Count what waits in the span, no further beyond the limit of people than ``BEYOND``."""
    return count_of(waiting_within(span, channels), people + BEYOND)


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
    due = _due_within(span, channels, limit.people)
    return Crowded(day, due, limit.people) if due.value >= limit.people else None


class Limit(NamedTuple):
    """To how many people a portfolio may write first in a day, by which channels."""

    people: int
    channels: list[int]


def limits_of(organization: Organization) -> list[Limit]:
    """Return the limits of the organization's portfolios, of those that have told one."""
    channels = Channel.objects.filter(organization=organization).defer("account_news")
    by_portfolio: dict[str, list[int]] = defaultdict(list)
    for channel in channels:
        by_portfolio[channel.portfolio].append(channel.pk)
    told = messaging_limits.of_portfolios(channels)
    return [
        Limit(limit.people, by_portfolio[portfolio])
        for portfolio, limit in told.items()
        if limit.people is not None
    ]


class Room:
    """How much room the days have, while follow-ups are moved from one to another.

    A day is counted when it is first asked about.
    """

    def __init__(self, organization: Organization) -> None:
        self._zone = organization.zone
        self._limits = {channel: limit for limit in limits_of(organization) for channel in limit.channels}
        # By the first channel of a portfolio.
        self._left: dict[tuple[int, dt.date], int] = {}

    def left(self, channel: int, day: dt.date) -> int | None:
        """Return how many more the channel may send that day, below zero if it has too many; None if any."""
        limit = self._limits.get(channel)
        if limit is None:
            return None
        key = (limit.channels[0], day)
        if key not in self._left:
            due = _due_within(Span(day, day, self._zone), limit.channels, limit.people)
            self._left[key] = limit.people - due.value
        return self._left[key]

    def move(self, channel: int, *, before: dt.date, after: dt.date) -> None:
        """Take one away from a day that was asked about, and give it to another one."""
        portfolio = self._limits[channel].channels[0]
        self._left[portfolio, before] += 1
        self._left[portfolio, after] -= 1
