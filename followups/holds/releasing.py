"""Releasing a hold: first what is late is dealt with, in parts, while it is still in force; then it is over.

Whoever asks for it only notes the choice, and a task does it; what a lost or killed task has left is taken up
by the next tick. To repeat any of it is harmless: what has been dealt with is late no longer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from followups import announcements, lifecycle
from followups.holds.brake import brake_of, channels_of
from followups.holds.people import AlreadyReleased, tell_pages
from followups.models import FollowUp, FollowUpQuerySet, Hold, Late
from followups.scheduling import quick_options
from trochai.accounts.models import Organization
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.models import User

logger = structlog.get_logger(__name__)

CHUNK = 500
# What would be missed so soon after the release is sent as well, though many may have to go before it.
HEADROOM = dt.timedelta(hours=1)


def ask_for_release(hold: Hold, *, late: Late, by: User | None, now: dt.datetime) -> None:
    """Have it released as soon as what is late has been dealt with (``release``), which a task does.

    Raises ``AlreadyReleased`` if somebody else has asked for it.
    """
    waiting = Hold.objects.in_force().filter(pk=hold.pk, releasing_since__isnull=True)
    with transaction.atomic():
        if not waiting.update(releasing_since=now, late=late, released_by=by):
            raise AlreadyReleased
        tell_pages(hold)


def limit_of(channel: Channel) -> dt.timedelta:
    """Return how late a follow-up may be and still be sent."""
    return dt.timedelta(minutes=channel.organization.missed_after_minutes)


def late_on(channel: Channel, *, now: dt.datetime) -> FollowUpQuerySet:
    """Return what waits on the channel and would fail as missed by now."""
    late = FollowUp.objects.waiting().filter(channel=channel, next_attempt_at__lt=now - limit_of(channel))
    return late.order_by("next_attempt_at", "pk")


def tomorrow_at_9(organization: Organization, *, now: dt.datetime) -> dt.datetime:
    """Return it in the organization's zone."""
    return quick_options(now, organization.zone)[0].at


def freed_by(hold: Hold) -> list[Channel]:
    """Return the channels that its release sets free, with their organizations.

    One under another hold that nobody has asked to release stays as it is.
    """
    others = Hold.objects.in_force().filter(releasing_since__isnull=True).exclude(pk=hold.pk)
    scopes = others.order_by().values_list("scope", "organization", "channel")
    free = brake_of(scopes).free(channels_of(hold))
    return list(free.select_related("organization").order_by("pk"))


def release(hold: Hold, *, now: dt.datetime, stop: Callable[[], bool] = lambda: False) -> bool:
    """Deal with what is late, then let everything go on; return whether it is over.

    ``stop`` is asked between two parts whether to leave the rest to the next time.
    """
    for channel in freed_by(hold):
        while _deal_with_some(hold, channel, now):
            if stop():
                return False
    with transaction.atomic():
        if Hold.objects.being_released().filter(pk=hold.pk).update(released_at=now):
            announcements.announce_hold_released(hold, now=now)
            tell_pages(hold)
            logger.warning("sending_released", hold=hold.pk, scope=hold.scope, late=hold.late)
    return True


def _deal_with_some(hold: Hold, channel: Channel, now: dt.datetime) -> bool:
    """Deal with up to ``CHUNK`` rows of the channel; return whether there were any."""
    with transaction.atomic():
        # One at a time, so that no row's history has it twice.
        if not Hold.objects.being_released().select_for_update(no_key=True).filter(pk=hold.pk).first():
            return False
        late = late_on(channel, now=now)
        match hold.late:
            case Late.SEND:
                done = lifecycle.send_late(late[:CHUNK], by=hold.released_by, now=now)
            case Late.TOMORROW:
                to = tomorrow_at_9(channel.organization, now=now)
                done = lifecycle.move_late(late[:CHUNK], to=to, by=hold.released_by, now=now)
            case _:
                done = 0
        return bool(done or lifecycle.spare(_nearly_late(channel, now)[:CHUNK], now=now))


def _nearly_late(channel: Channel, now: dt.datetime) -> FollowUpQuerySet:
    limit = limit_of(channel)
    first = now - limit
    due = FollowUp.objects.waiting().filter(channel=channel, next_attempt_at__gte=first)
    return due.filter(next_attempt_at__lt=first + min(HEADROOM, limit)).order_by("next_attempt_at", "pk")
