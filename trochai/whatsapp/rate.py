"""How fast a channel may send, over all workers together.

``Channel.next_slot_at`` is when the line's next slot is free (the "generic cell rate algorithm").
It may lag behind the present by a short burst; a grant moves it on by one interval a slot. Burst
and interval are chosen so that no second, wherever it begins, sees more than the channel's
``messages_per_second`` grants.
"""

from __future__ import annotations

import datetime as dt
import math

from django.db import transaction
from django.db.models import Q

from trochai.whatsapp.models import Channel

# Between two messages to one contact (WhatsApp Cloud API, "Throughput", pair rate limit).
PAIR_INTERVAL = dt.timedelta(seconds=6)
# Whatever Meta's headers or a wrong clock say, a line is never held back for longer.
MAX_SLOW_DOWN = dt.timedelta(minutes=5)
# An eighth of a second's messages may go at once: fewer make batches too small, more cost throughput.
BURST_DIVISOR = 8


def reserve(channel_id: int, wanted: int, now: dt.datetime) -> int:
    """Return how many messages, up to ``wanted``, may be sent right now; they are taken.

    ``now`` should be the database's clock where workers run on several machines.
    """
    if wanted <= 0:
        return 0
    with transaction.atomic():
        # SQLite takes its write lock at BEGIN; PostgreSQL locks the row, but not for foreign keys to it.
        rows = Channel.objects.select_for_update(no_key=True).filter(pk=channel_id)
        line = rows.values("messages_per_second", "next_slot_at").first()
        if line is None:
            return 0
        burst, interval = _pace(line["messages_per_second"])
        slot = max(_slot(line["next_slot_at"], now), now - (burst - 1) * interval)
        if slot > now:
            return 0
        granted = min(wanted, (now - slot) // interval + 1)
        Channel.objects.filter(pk=channel_id).update(next_slot_at=slot + granted * interval)
    return granted


def free_at(channel_id: int, now: dt.datetime) -> dt.datetime:
    """Return when ``reserve`` will next grant something: ``now``, or a moment to wait for."""
    slot = Channel.objects.values_list("next_slot_at", flat=True).filter(pk=channel_id).first()
    return max(_slot(slot, now), now)


def slow_down(channel_id: int, delay: dt.timedelta, now: dt.datetime) -> None:
    """Grant nothing on this line for ``delay`` (at most 5 minutes), because Meta said it is too fast."""
    until = now + min(delay, MAX_SLOW_DOWN)
    line = Channel.objects.filter(pk=channel_id)
    line.filter(Q(next_slot_at__isnull=True) | Q(next_slot_at__lt=until)).update(next_slot_at=until)


def _pace(rate: int) -> tuple[int, dt.timedelta]:
    """Return the burst and the interval: burst + (slots in the rest of a second) <= rate."""
    burst = max(1, rate // BURST_DIVISOR)
    return burst, dt.timedelta(microseconds=math.ceil(1_000_000 / (rate - burst + 1)))


def _slot(stored: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """Return the line's next slot; a line that never sent has been free for long."""
    return now - MAX_SLOW_DOWN if stored is None else min(stored, now + MAX_SLOW_DOWN)
