"""Rows that a worker holds: claimed, handed back, released, and marked before their calls."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from conversations.models import load_ids
from followups.holds.brake import now_held
from followups.lifecycle.changes import RELEASED
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Status
from trochai.copying import insert_all
from trochai.whatsapp import rate
from trochai.whatsapp.models import Channel, ChannelQuerySet
from trochai.whatsapp.sending import claiming
from trochai.whatsapp.sending.work import Claim

# Longer than the whole deadline of a call, so that no lease runs out while its call is being prepared.
LEASE = dt.timedelta(minutes=2)
# How long a webhook has to report the outcome of a call whose answer never arrived.
RECONCILIATION = dt.timedelta(minutes=10)


def claim(*, limit: int, now: dt.datetime) -> Claim[FollowUp]:
    """pending → processing for up to ``limit`` due rows, fair between channels.

    Of a stopped channel only rows that met the stop themselves are claimed: their retries after 5, 15 and 60
    minutes find out whether it works again. Of a channel on hold none is.
    """
    return claiming.claim(_Due(), limit=limit, now=now)


class _Due:
    """The follow-ups that wait and whose time has come."""

    def channels(self, now: dt.datetime) -> list[int]:
        """Look each channel up in the index.

        PostgreSQL turns an EXISTS into a join and reads the whole table.
        """
        due = FollowUp.objects.due(now).filter(channel=OuterRef("pk")).order_by("next_attempt_at", "pk")
        met_a_stop = due.filter(failure_kind=FailureKind.CHANNEL)
        free = now_held().free(Channel.objects.all())
        working = free.filter(stopped_at__isnull=True).alias(first=Subquery(due.values("pk")[:1]))
        stopped = free.filter(stopped_at__isnull=False)
        stopped = stopped.alias(first=Subquery(met_a_stop.values("pk")[:1]))
        return [
            pk
            for channels in (working, stopped)
            for pk in channels.filter(first__isnull=False).order_by().values_list("pk", flat=True)
        ]

    def take(self, channel: Channel, count: int, *, token: uuid.UUID, now: dt.datetime) -> int:
        """Take the oldest; a contact waits while a message is on its way to them or has only just left.

        Also another worker's.
        """
        rows = FollowUp.objects.due(now).filter(channel=channel)
        if channel.is_stopped:
            rows = rows.filter(failure_kind=FailureKind.CHANNEL)
        # A short list, looked up by hash: an EXISTS would be evaluated again for every row.
        on_its_way = FollowUp.objects.filter(
            Q(requested_at__isnull=True) | Q(requested_at__gt=now - rate.PAIR_INTERVAL),
            channel=channel,
            status=Status.PROCESSING,
        )
        waiting = rows.exclude(conversation__in=on_its_way.values("conversation"))
        oldest = waiting.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True)
        ids = list(oldest.values_list("pk", flat=True)[:count])
        FollowUp.objects.filter(pk__in=ids, status=Status.PENDING).update(
            status=Status.PROCESSING, claim_token=token, lease_expires_at=now + LEASE, quiet_in=""
        )
        return len(ids)

    def held(self, token: uuid.UUID) -> list[FollowUp]:
        """Load all that sending needs; what rows share (a channel's tokens!) is read once."""
        rows = FollowUp.objects.select_related("conversation__contact").prefetch_related(
            "organization", "channel", "template"
        )
        held = rows.filter(status=Status.PROCESSING, claim_token=token)
        load_ids(row.conversation.contact for row in held)
        return sorted(held, key=lambda follow_up: (follow_up.next_attempt_at, follow_up.pk))


def hand_back(
    ids: Collection[int],
    *,
    token: uuid.UUID,
    due_at: dt.datetime | None = None,
    quiet_in: str = "",
) -> None:
    """processing → pending before any call was made: no failure is counted.

    ``ids``: of follow-ups. ``quiet_in`` names the time zone whose quiet hours end at ``due_at``, if that is
    what they wait for.
    """
    later = {} if due_at is None else {"next_attempt_at": due_at, "quiet_in": quiet_in}
    FollowUp.objects.filter(
        pk__in=ids, status=Status.PROCESSING, claim_token=token, requested_at__isnull=True
    ).update(status=Status.PENDING, **later, **RELEASED)


def take_back(channels: ChannelQuerySet) -> int:
    """processing → pending for what workers have claimed from ``channels`` and not begun to call.

    Row by row, so that it never holds one while it waits for another: where a worker is just marking a row as
    requested, that comes first. Returns how many rows it took back.
    """
    claimed = FollowUp.objects.filter(status=Status.PROCESSING, requested_at__isnull=True)
    ids = claimed.filter(channel__in=channels).order_by().values_list("pk", flat=True)
    return sum(claimed.filter(pk=pk).update(status=Status.PENDING, **RELEASED) for pk in list(ids))


def request_again(attempts: Sequence[FollowUpAttempt], *, now: dt.datetime) -> set[uuid.UUID]:
    """Mark attempts again whose calls this worker knows it has not made; return those that it still holds.

    The others must not be called: this process was away for so long that their rows were given up, or they
    are on hold by now and wait again.
    """
    by_row = {attempt.follow_up_id: attempt for attempt in attempts}
    with transaction.atomic():
        requested = FollowUp.objects.filter(
            pk__in=by_row, status=Status.PROCESSING, reconcile_until__gt=now
        ).select_for_update()
        rows = list(requested.only("pk", "claim_token", "channel_id", "organization_id"))
        mine = [row for row in rows if row.claim_token == by_row[row.pk].claim_token]
        brake = now_held()
        withdraw([by_row[row.pk] for row in mine if brake.holds(row)])
        held = [row.pk for row in mine if not brake.holds(row)]
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


def request(
    sent: Mapping[int, dict[str, Any]], *, token: uuid.UUID, now: dt.datetime
) -> dict[int, FollowUpAttempt]:
    """Record durably that the calls are about to be made; return the attempts by follow-up id.

    ``sent`` has ``what_is_sent`` by the same ids.
    Rows that this worker no longer holds, or whose lease has run out, are left out: they must not be
    called. So are those that are on hold by now, which wait again at once. A requested row is never claimed
    again, so this must be committed before the call.
    """
    with transaction.atomic():
        held = FollowUp.objects.filter(
            pk__in=sent,
            status=Status.PROCESSING,
            claim_token=token,
            requested_at__isnull=True,
            lease_expires_at__gt=now,
        ).select_for_update()
        rows = list(held.values_list("pk", "channel_id", "organization_id"))
        brake = now_held()
        stopped = {pk for pk, channel, organization in rows if brake.stops(channel, organization)}
        hand_back(stopped, token=token)
        ids = [pk for pk, _channel, _organization in rows if pk not in stopped]
        FollowUp.objects.filter(pk__in=ids).update(requested_at=now, reconcile_until=now + RECONCILIATION)
        attempts = insert_all(
            FollowUpAttempt(follow_up_id=pk, claim_token=token, requested_at=now, sent=sent[pk]) for pk in ids
        )
    return {attempt.follow_up_id: attempt for attempt in attempts}
