"""Trying one follow-up on a stopped channel, where only a message can show whether it works again."""

from __future__ import annotations

import datetime as dt

import structlog

from followups.models import FailureKind, FollowUp, Status
from followups.retries import DELAYS
from trochai.whatsapp.models import Channel

logger = structlog.get_logger(__name__)


def let_one_through(channel: Channel, *, now: dt.datetime) -> bool:
    """Have the next tick try the oldest follow-up that is due; return False if there is none to try.

    Nor is one tried while another that met the stop waits for its retry: that one is the trial. One that
    would fail as missed proves nothing, so it is left alone.
    """
    pending = FollowUp.objects.waiting().filter(channel=channel)
    soon = pending.filter(next_attempt_at__lte=now + max(DELAYS))
    if soon.filter(failure_kind=FailureKind.CHANNEL).exists():
        return False
    limit = dt.timedelta(minutes=channel.organization.missed_after_minutes)
    in_time = pending.filter(next_attempt_at__gt=now - limit, next_attempt_at__lte=now)
    oldest = in_time.order_by("next_attempt_at", "pk").values_list("pk", flat=True).first()
    if oldest is None:
        return False
    # As if it had met the stop itself: lifecycle.claim takes such rows alone from a stopped channel.
    marked = FollowUp.objects.filter(pk=oldest, status=Status.PENDING).update(
        failure_kind=FailureKind.CHANNEL, **channel.stop.columns("failure")
    )
    if marked:
        logger.info("channel_tried", channel=channel.pk, follow_up=oldest, code=channel.stop_code)
    return bool(marked)
