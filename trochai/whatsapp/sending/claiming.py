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

# A claim looks at no more channels than this: each costs four statements.
MOST_LINES = 16


class Source(Protocol[HeldT_co]):
    """The rows of one kind that wait to be sent."""

    def channels(self, now: dt.datetime) -> list[int]:
        """Return the ids of all channels that have something to send."""

    def take(self, channel: Channel, count: int, *, token: uuid.UUID, now: dt.datetime) -> int:
        """Take the ``count`` oldest of the channel's rows; return how many there were.

        Called in a transaction that holds the channel's lock.
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
        for line in hungry[:left]:
            left -= line.take(share)
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

    def take(self, wanted: int) -> int:
        """Claim up to ``wanted`` rows, as many as the line can take in the next moment."""
        slots = rate.reserve(self.channel, wanted)
        claimed = self._claim(slots.count) if slots.count else 0
        self.may_have_more = claimed == slots.count
        if self.may_have_more and slots.count < wanted:
            self.free_in = 0.0 if slots.count else slots.delay
        self.slots.append(rate.give_back(self.channel, slots, slots.count - claimed))
        return claimed

    def _claim(self, count: int) -> int:
        with transaction.atomic():
            # One worker at a time, or two would not see each other's rows for the same contact.
            Channel.objects.select_for_update(no_key=True).only("pk").get(pk=self.channel.pk)
            return self._source.take(self.channel, count, token=self._token, now=self._now)
