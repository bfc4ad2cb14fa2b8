"""People's messages that wait for a worker: written with the message, gone once it is settled.

Every function is a conditional UPDATE or a short transaction; ``now`` is the database's time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from conversations import recording
from conversations.models import Delivery, Message, QueuedMessage, load_ids
from conversations.wording import Cause
from trochai.clock import database_now
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel, has_unread
from trochai.whatsapp.sending import claiming
from trochai.whatsapp.sending.work import Claim

logger = structlog.get_logger(__name__)

# Nobody wants a reply an hour late: what no worker has begun with by then is not sent.
BEGIN_WITHIN = dt.timedelta(minutes=2)
# How long a worker may hold a message before its call; it is claimed only just before.
LEASE = dt.timedelta(seconds=30)
# Longer than any call: whatever holds up the conversation's next message has died.
ANSWERED_WITHIN = dt.timedelta(minutes=1)
# How long a webhook has to report the outcome of a call whose answer never arrived; and how long at most
# while the channel has webhooks that nobody has looked at.
RECONCILIATION = dt.timedelta(minutes=10)
UNREAD_FOR = dt.timedelta(minutes=60)

_FREE = {"claim_token": None, "lease_expires_at": None, "requested_at": None}


def add(message: Message) -> None:
    """Have a worker send a message; whoever wrote it wakes one."""
    QueuedMessage.objects.create(
        message=message,
        conversation_id=message.conversation_id,
        channel_id=message.channel_id,
        written_at=database_now(),
    )


def claim(*, limit: int, now: dt.datetime) -> Claim[QueuedMessage]:
    """Take up to ``limit`` messages: of each conversation only the one that was written first."""
    return claiming.claim(_Waiting(), limit=limit, now=now)


class _Waiting:
    """The messages that no worker holds."""

    def channels(self, now: dt.datetime) -> list[int]:
        return list(_free(now).order_by().values_list("channel", flat=True).distinct())

    def take(self, channel: Channel, count: int, *, token: uuid.UUID, now: dt.datetime) -> int:
        before = QueuedMessage.objects.filter(conversation=OuterRef("conversation"), pk__lt=OuterRef("pk"))
        held_up = Exists(before.exclude(requested_at__lte=now - ANSWERED_WITHIN))
        first = _free(now).filter(~held_up, channel=channel).order_by("pk").select_for_update(of=("self",))
        ids = list(first.values_list("pk", flat=True)[:count])
        return QueuedMessage.objects.filter(pk__in=ids).update(
            claim_token=token, lease_expires_at=now + LEASE
        )

    def held(self, token: uuid.UUID) -> list[QueuedMessage]:
        rows = QueuedMessage.objects.select_related("message", "conversation__contact")
        held = list(rows.prefetch_related("channel").filter(claim_token=token).order_by("pk"))
        load_ids(row.conversation.contact for row in held)
        return held


def mark(rows: Sequence[QueuedMessage], *, token: uuid.UUID, now: dt.datetime) -> set[int]:
    """Record durably that the calls are about to be made; return the ids of those that may be."""
    with transaction.atomic():
        held = QueuedMessage.objects.filter(
            pk__in=[row.pk for row in rows],
            claim_token=token,
            requested_at__isnull=True,
            lease_expires_at__gt=now,
        ).select_for_update()
        ids = list(held.values_list("pk", flat=True))
        QueuedMessage.objects.filter(pk__in=ids).update(requested_at=now)
    return set(ids)


def mark_again(row: QueuedMessage, *, token: uuid.UUID, now: dt.datetime) -> bool:
    """Mark a message again whose call this worker knows it has not made; False if it was given up."""
    return bool(QueuedMessage.objects.filter(pk=row.pk, claim_token=token).update(requested_at=now))


def withdraw(row: QueuedMessage, *, token: uuid.UUID) -> None:
    """Let a marked message wait again: this worker knows that it made no call."""
    QueuedMessage.objects.filter(pk=row.pk, claim_token=token).update(**_FREE)


def hand_back(rows: Sequence[QueuedMessage], *, token: uuid.UUID) -> None:
    held = QueuedMessage.objects.filter(pk__in=[row.pk for row in rows], claim_token=token)
    held.filter(requested_at__isnull=True).update(**_FREE)


def fail(row: QueuedMessage, failure: Failure) -> None:
    """Not sent, unless a webhook has proved meanwhile that Meta has it."""
    unproved = Message.objects.filter(pk=row.pk, delivery__in=[Delivery.SENDING, Delivery.UNKNOWN])
    with transaction.atomic():
        outcome = {"delivery": Delivery.FAILED, **failure.columns("error")}
        if unproved.filter(whatsapp_id="").update(**outcome):
            recording.show_failure([row.pk], failed=True)
        QueuedMessage.objects.filter(pk=row.pk).delete()


def tidy_up(*, now: dt.datetime) -> None:
    """Fail what no worker has begun with in time, and give up on calls that never came back."""
    unsent, unknown = fail_unbegun(now=now), give_up_on_unknown(now=now)
    if unsent or unknown:
        logger.warning("replies_given_up", unsent=unsent, unknown=unknown)


def fail_unbegun(*, now: dt.datetime) -> int:
    """SENDING → FAILED for what no worker has begun with within 2 minutes."""
    late = _free(now).filter(written_at__lte=now - BEGIN_WITHIN)
    failure = Failure(cause=Cause.NOT_BEGUN)
    return _give_up(late, delivery=Delivery.FAILED, **failure.columns("error"))


def give_up_on_unknown(*, now: dt.datetime) -> int:
    """SENDING → UNKNOWN for calls that never came back within 10 minutes.

    Not while their channel has webhooks that nobody has looked at, for up to an hour.
    """
    left_behind = QueuedMessage.objects.filter(requested_at__lte=now - RECONCILIATION)
    unread = Q(has_unread(OuterRef("channel")))
    given_up = left_behind.filter(~unread | Q(requested_at__lte=now - UNREAD_FOR))
    return _give_up(given_up, delivery=Delivery.UNKNOWN)


def _give_up(rows: QuerySet[QueuedMessage], **outcome: object) -> int:
    with transaction.atomic():
        ids = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
        if ids:
            Message.objects.filter(pk__in=ids, delivery=Delivery.SENDING).update(**outcome)
            if outcome["delivery"] == Delivery.FAILED:
                recording.show_failure(ids, failed=True)
            QueuedMessage.objects.filter(pk__in=ids).delete()
    return len(ids)


def _free(now: dt.datetime) -> QuerySet[QueuedMessage]:
    unclaimed = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lte=now)
    return QueuedMessage.objects.filter(unclaimed, requested_at__isnull=True)
