"""Rows of a restored backup that may have been sent since it was made: each is held until a person decides.

In parts, so that any number may be; to repeat it is harmless.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.db import transaction

from followups import announcements, lifecycle
from followups.holds.releasing import CHUNK, limit_of, tomorrow_at_9
from followups.models import FollowUp, FollowUpQuerySet, HeldReason, Late
from trochai.changes import Kind, changed
from trochai.whatsapp.models import Channel, ChannelQuerySet


def hold_due(channels: ChannelQuerySet, *, first: dt.datetime, last: dt.datetime, now: dt.datetime) -> int:
    """Hold each pending row that is due from ``first`` to ``last``; return how many.

    What a worker had claimed when the backup was made waits again before that.
    """
    lifecycle.release_expired(now=now)
    told: Counter[tuple[int, int | None]] = Counter()
    for channel in channels.order_by("pk"):
        rows = _due(channel, first, last).waiting().order_by("next_attempt_at", "pk")
        while part := list(rows.values_list("pk", "organization_id", "owner_id", "created_by_id")[:CHUNK]):
            ids = [pk for pk, *_whose in part]
            lifecycle.hold(FollowUp.objects.filter(pk__in=ids), reason=HeldReason.RESTORED, now=now)
            told.update((organization, owner or creator) for _pk, organization, owner, creator in part)
    announcements.announce_restored(told, now=now)
    return told.total()


def release_due(
    channels: ChannelQuerySet, *, first: dt.datetime, last: dt.datetime, late: Late, now: dt.datetime
) -> int:
    """Hold them no longer, with the same choice for what is late as at a hold's release; return how many."""
    return sum(
        _release_on(channel, first, last, late, now)
        for channel in channels.select_related("organization").order_by("pk")
    )


def _release_on(channel: Channel, first: dt.datetime, last: dt.datetime, late: Late, now: dt.datetime) -> int:
    rows = _due(channel, first, last).filter(held_reason=HeldReason.RESTORED)
    limit = now - limit_of(channel)
    released = 0
    while part := list(rows.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:CHUNK]):
        too_late = rows.filter(pk__in=part, next_attempt_at__lt=limit)
        in_time = rows.filter(pk__in=part, next_attempt_at__gte=limit)
        with transaction.atomic():
            released += lifecycle.send_late(in_time, by=None, now=now)
            match late:
                case Late.SEND:
                    released += lifecycle.send_late(too_late, by=None, now=now)
                case Late.TOMORROW:
                    to = tomorrow_at_9(channel.organization, now=now)
                    released += lifecycle.move_late(too_late, to=to, by=None, now=now)
                case Late.LEAVE:
                    released += lifecycle.leave_late(too_late, by=None, now=now)
            changed([channel.organization_id], [Kind.FOLLOW_UPS])
    return released


def _due(channel: Channel, first: dt.datetime, last: dt.datetime) -> FollowUpQuerySet:
    return FollowUp.objects.filter(channel=channel, next_attempt_at__gte=first, next_attempt_at__lte=last)
