"""Which rows come last on a day that has more than WhatsApp lets the portfolio send.

A day is looked at as a whole, as one row more or less on it makes another one the last. From its morning on
it stays as it was found: what has been sent by then makes room for nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from followups.attention.keeping import Found, Key, write
from followups.calendar.counting import Span, waiting_within
from followups.calendar.crowded import Limit, limits_of
from followups.models import Attention, AttentionCause
from followups.scheduling import DAY
from trochai.accounts.models import Organization
from trochai.whatsapp.models import Channel

# Of a day and a portfolio: whoever has more beyond the limit sees these, and moves them first.
MOST = 1_000


def look_at_days(organization_id: int, days: Iterable[dt.date], *, now: dt.datetime) -> None:
    """Bring up to date what is kept about these days, and about those that had too many until now."""
    with transaction.atomic():
        locked = Organization.objects.select_for_update(no_key=True).filter(pk=organization_id)
        organization = locked.first()
        if organization is None:
            return
        crowded = Attention.objects.filter(
            organization=organization, cause=AttentionCause.LIMIT, kept_at__isnull=True
        )
        subjects = crowded.order_by().values_list("subject", flat=True).distinct()
        concerned = {*days, *map(dt.date.fromisoformat, subjects)}
        limits = limits_of(organization)
        today = now.astimezone(organization.zone).date()
        if limits or subjects:
            for day in sorted(day for day in concerned if day > today):
                _look_at_day(organization, day, limits, now=now)


def look_at_all_days(organization_id: int, *, now: dt.datetime) -> None:
    """Look at all the days that can be scheduled for: another limit is one for each of them."""
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is not None:
        today = now.astimezone(organization.zone).date()
        ahead = (today + number * DAY for number in range(1, organization.max_days + 1))
        look_at_days(organization_id, ahead, now=now)


def _look_at_day(
    organization: Organization, day: dt.date, limits: Iterable[Limit], *, now: dt.datetime
) -> None:
    span = Span(day, day, organization.zone)
    waiting = waiting_within(span, Channel.objects.filter(organization=organization))
    found: dict[Key, Found] = {}
    for people, channels in limits:
        in_order = waiting.filter(channel__in=channels).order_by("next_attempt_at", "pk")
        last = list(in_order.values_list("pk", flat=True)[people : people + MOST])
        told = Found(day.isoformat(), {"due": people + len(last), "limit": people})
        found |= {(pk, str(AttentionCause.LIMIT)): told for pk in last}
    # What has left the day has lost it by a look of its own.
    known = Attention.objects.filter(follow_up__in=waiting.values("pk"), cause=AttentionCause.LIMIT)
    kept = {(each.follow_up_id, each.cause): each for each in known}
    write(found, kept, dict.fromkeys((pk for pk, _cause in found), organization.pk), now=now)
