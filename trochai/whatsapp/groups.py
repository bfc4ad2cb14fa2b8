"""Messages to groups: Trochai takes part only in chats with one person, so they are counted and no more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db.models import F

from trochai import metrics
from trochai.whatsapp.models import GroupMessages

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel


def count(channel: Channel, *, at: dt.datetime) -> None:
    """Count one more; what Meta delivers again counts again."""
    metrics.GROUP_MESSAGES.inc()
    _row, made = GroupMessages.objects.get_or_create(
        channel=channel, defaults={"count": 1, "first_at": at, "last_at": at}
    )
    if not made:
        GroupMessages.objects.filter(channel=channel).update(count=F("count") + 1, last_at=at)
