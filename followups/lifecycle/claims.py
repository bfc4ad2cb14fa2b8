"""Rows that a worker holds: claimed, handed back, released, and marked before their calls."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from followups.lifecycle.changes import RELEASED
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Status
from trochai.whatsapp import rate
from trochai.whatsapp.models import Channel

# Longer than the whole deadline of a call, so that no lease runs out while its call is being prepared.
LEASE = dt.timedelta(minutes=2)
# A claim looks at no more channels than this: each costs four statements.
MOST_LINES = 16
# How long a webhook has to report the outcome of a call whose answer never arrived.
RECONCILIATION = dt.timedelta(minutes=10)


@dataclass(frozen=True)
class Claim:
    """Rows that this worker now holds, oldest first, with one slot of their channels' lines for each.

    ``more``: other rows are due; ``full``: they were left because the claim had reached its limit, not
    because of their lines. ``free_in``: if nothing was claimed because the lines are taken, in how many
    seconds the first of them is free.
    """

    token: uuid.UUID
    follow_ups: list[FollowUp]
    slots: dict[int, list[rate.Slots]]
    more: bool
    full: bool
    free_in: float | None


def claim(*, limit: int, now: dt.datetime) -> Claim:
    """pending → processing for up to ``limit`` due rows, fair between channels.

    Each channel gets an equal share, but no more than its line can take in the next moment; with many
    channels, chance decides whose turn it is. Of a stopped channel only rows that met the stop themselves
    are claimed: their retries after 5, 15 and 60 minutes find out whether it works again.
    """
    token = uuid.uuid4()
    channels, others = _channels_with_due(now, min(limit, MOST_LINES))
    lines = [_Line(channel, now=now, token=token) for channel in channels]
    left, hungry = limit, lines
    while left and hungry:
        share = max(1, left // len(hungry))
        for line in hungry[:left]:
            left -= line.take(share)
        hungry = [line for line in hungry if line.may_have_more and line.free_in is None]
    held = _loaded().filter(status=Status.PROCESSING, claim_token=token) if left < limit else ()
    free_in = [line.free_in for line in lines if line.free_in is not None]
    return Claim(
        token,
        sorted(held, key=lambda follow_up: (follow_up.next_attempt_at, follow_up.pk)),
        {line.channel.pk: line.slots for line in lines},
        more=others or any(line.may_have_more for line in lines),
        full=others or left == 0,
        free_in=min(free_in, default=None) if left == limit else None,
    )


class _Line:
    """A channel that has something due, and what a claim got from it."""

    def __init__(self, channel: Channel, *, now: dt.datetime, token: uuid.UUID) -> None:
        self.channel = channel
        self.slots: list[rate.Slots] = []
        self.may_have_more = True
        # Seconds until it grants something again, where it has granted less than was wanted.
        self.free_in: float | None = None
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
        """Claim the ``count`` oldest of the channel's due rows; return how many there were.

        A contact waits while a message, also another worker's, is on its way to them or has only just left.
        """
        rows = FollowUp.objects.due(self._now).filter(channel=self.channel)
        if self.channel.is_stopped:
            rows = rows.filter(failure_kind=FailureKind.CHANNEL)
        # A short list, looked up by hash: an EXISTS would be evaluated again for every row.
        on_its_way = FollowUp.objects.filter(
            Q(requested_at__isnull=True) | Q(requested_at__gt=self._now - rate.PAIR_INTERVAL),
            channel=self.channel,
            status=Status.PROCESSING,
        )
        with transaction.atomic():
            # One worker at a time, or two would not see each other's rows for the same contact.
            Channel.objects.select_for_update(no_key=True).only("pk").get(pk=self.channel.pk)
            waiting = rows.exclude(conversation__in=on_its_way.values("conversation"))
            oldest = waiting.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True)
            ids = list(oldest.values_list("pk", flat=True)[:count])
            FollowUp.objects.filter(pk__in=ids, status=Status.PENDING).update(
                status=Status.PROCESSING, claim_token=self._token, lease_expires_at=self._now + LEASE
            )
        return len(ids)


def _channels_with_due(now: dt.datetime, limit: int) -> tuple[list[Channel], bool]:
    """Return up to ``limit`` channels, chosen by chance, that have something to send; and whether others do.

    One look-up in the index for each: PostgreSQL turns an EXISTS into a join and reads the whole table.
    """
    due = FollowUp.objects.due(now).filter(channel=OuterRef("pk")).order_by("next_attempt_at", "pk")
    met_a_stop = due.filter(failure_kind=FailureKind.CHANNEL)
    working = Channel.objects.filter(stopped_at__isnull=True).alias(first=Subquery(due.values("pk")[:1]))
    stopped = Channel.objects.filter(stopped_at__isnull=False)
    stopped = stopped.alias(first=Subquery(met_a_stop.values("pk")[:1]))
    ids = [
        pk
        for channels in (working, stopped)
        for pk in channels.filter(first__isnull=False).order_by().values_list("pk", flat=True)
    ]
    chosen = random.sample(ids, k=min(limit, len(ids)))
    channels = list(Channel.objects.filter(pk__in=chosen).order_by()) if chosen else []
    return channels, len(ids) > limit


def _loaded() -> QuerySet[FollowUp]:
    """Load all that sending needs; what rows share (a channel's tokens!) is read once."""
    rows = FollowUp.objects.select_related("conversation__contact")
    return rows.prefetch_related("organization", "channel", "template")


def hand_back(follow_ups: Iterable[FollowUp], *, token: uuid.UUID, due_at: dt.datetime | None = None) -> None:
    """processing → pending before any call was made: no failure is counted."""
    later = {} if due_at is None else {"next_attempt_at": due_at}
    FollowUp.objects.filter(
        pk__in=[follow_up.pk for follow_up in follow_ups],
        status=Status.PROCESSING,
        claim_token=token,
        requested_at__isnull=True,
    ).update(status=Status.PENDING, **later, **RELEASED)


def request_again(attempts: Sequence[FollowUpAttempt], *, now: dt.datetime) -> set[uuid.UUID]:
    """Mark attempts again whose calls this worker knows it has not made; return those that it still holds.

    The others must not be called: this process was away for so long that their rows were given up.
    """
    by_row = {attempt.follow_up_id: attempt for attempt in attempts}
    with transaction.atomic():
        requested = FollowUp.objects.filter(
            pk__in=by_row, status=Status.PROCESSING, reconcile_until__gt=now
        ).select_for_update()
        tokens = dict(requested.values_list("pk", "claim_token"))
        held = [pk for pk, token in tokens.items() if token == by_row[pk].claim_token]
        FollowUp.objects.filter(pk__in=held).update(requested_at=now, reconcile_until=now + RECONCILIATION)
    return {by_row[pk].pk for pk in held}


def withdraw(attempts: Sequence[FollowUpAttempt]) -> None:
    """processing → pending although the rows were marked: this worker knows that it made no call.

    Nobody else has heard of the attempts, so they are removed.
    """
    with transaction.atomic():
        for attempt in attempts:
            row = FollowUp.objects.filter(
                pk=attempt.follow_up_id, status=Status.PROCESSING, claim_token=attempt.claim_token
            )
            if row.update(status=Status.PENDING, **RELEASED):
                FollowUpAttempt.objects.filter(pk=attempt.pk).delete()


def release_expired(*, now: dt.datetime) -> int:
    """processing → pending for rows whose worker vanished before it began the call."""
    return FollowUp.objects.lease_expired(now).update(status=Status.PENDING, **RELEASED)


def request(
    follow_ups: Sequence[FollowUp], *, token: uuid.UUID, now: dt.datetime
) -> dict[int, FollowUpAttempt]:
    """Record durably that the calls are about to be made; return the attempts by follow-up id.

    Rows that this worker no longer holds, or whose lease has run out, are left out: they must not be
    called. A requested row is never claimed again, so this must be committed before the call.
    """
    with transaction.atomic():
        held = FollowUp.objects.filter(
            pk__in=[follow_up.pk for follow_up in follow_ups],
            status=Status.PROCESSING,
            claim_token=token,
            requested_at__isnull=True,
            lease_expires_at__gt=now,
        ).select_for_update()
        ids = list(held.values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(requested_at=now, reconcile_until=now + RECONCILIATION)
        attempts = FollowUpAttempt.objects.bulk_create(
            FollowUpAttempt(follow_up_id=pk, claim_token=token, requested_at=now) for pk in ids
        )
    return {attempt.follow_up_id: attempt for attempt in attempts}
