"""Claims what may be sent now: fair between channels, and no faster than each channel's line allows."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from django.db import transaction

from trochai.whatsapp import rate
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sending.work import Claim, Row, RowT

HeldT_co = TypeVar("HeldT_co", bound=Row, covariant=True)

# A claim looks at no more channels than this: each costs two statements, and a reservation.
MOST_LINES = 16


class Source(Protocol[HeldT_co]):
    """The rows of one kind that wait to be sent."""

    def channels(self, now: dt.datetime) -> list[int]:
        """Return the ids of all channels that have something to send."""

    def take(self, channel: Channel, count: int, *, token: uuid.UUID, now: dt.datetime) -> int:
        """Take the ``count`` oldest of the channel's rows; return how many there were.

        Called in a transaction that holds the channels' locks.
        """

    def held(self, token: uuid.UUID) -> Sequence[HeldT_co]:
        """Return what was taken with ``token``, oldest first, with all that sending needs."""


def claim(source: Source[RowT], *, limit: int, now: dt.datetime) -> Claim[RowT]:
    """Take up to ``limit`` rows.

    Each channel gets an equal share, but no more than its line can take in the next moment; with many
    channels, chance decides whose turn it is.
    """
    token = uuid.uuid4()
    ids = source.channels(now)
    chosen = random.sample(ids, k=min(limit, len(ids), MOST_LINES))
    channels = Channel.objects.filter(pk__in=chosen).order_by() if chosen else ()
    lines = [_Line(channel, source, now=now, token=token) for channel in channels]
    others = len(ids) > len(chosen)
    left, hungry = limit, lines
    while left and hungry:
        share = max(1, left // len(hungry))
        left -= _take(hungry[:left], share)
        hungry = [line for line in hungry if line.may_have_more and line.free_in is None]
    free_in = [line.free_in for line in lines if line.free_in is not None]
    return Claim(
        token,
        list(source.held(token)) if left < limit else [],
        {line.channel.pk: line.slots for line in lines},
        more=others or any(line.may_have_more for line in lines),
        full=others or left == 0,
        free_in=min(free_in, default=None) if left == limit else None,
    )


class _Line(Generic[RowT]):
    """A channel that has something to send, and what a claim got from it."""

    def __init__(self, channel: Channel, source: Source[RowT], *, now: dt.datetime, token: uuid.UUID) -> None:
        self.channel = channel
        self.slots: list[rate.Slots] = []
        self.may_have_more = True
        # Seconds until it grants something again, where it has granted less than was wanted.
        self.free_in: float | None = None
        self._source = source
        self._now = now
        self._token = token

    def take(self, slots: rate.Slots) -> int:
        """Take as many rows as there are slots; return how many there were."""
        if not slots.count:
            return 0
        return self._source.take(self.channel, slots.count, token=self._token, now=self._now)

    def note(self, slots: rate.Slots, *, wanted: int, taken: int) -> None:
        """Give back the slots that are not needed."""
        self.may_have_more = taken == slots.count
        if self.may_have_more and slots.count < wanted:
            self.free_in = 0.0 if slots.count else slots.delay
        self.slots.append(rate.give_back(self.channel, slots, slots.count - taken))


def _take(lines: Sequence[_Line[RowT]], wanted: int) -> int:
    """Take up to ``wanted`` rows of each line, as many as it can take in the next moment; return how many."""
    slots = [rate.reserve(line.channel, wanted) for line in lines]
    granting = [line.channel.pk for line, granted in zip(lines, slots, strict=True) if granted.count]
    with transaction.atomic():
        # One worker at a time, or two would not see each other's rows for the same contact; in one order.
        locked = Channel.objects.filter(pk__in=granting).select_for_update(no_key=True).order_by("pk")
        list(locked.values_list("pk", flat=True))
        taken = [line.take(granted) for line, granted in zip(lines, slots, strict=True)]
    for line, granted, count in zip(lines, slots, taken, strict=True):
        line.note(granted, wanted=wanted, taken=count)
    return sum(taken)
