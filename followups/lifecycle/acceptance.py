"""Meta accepted a message: what becomes of its follow-up, then and when it later says that it failed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from conversations import bulk_recording, recording
from conversations.models import Delivery, Message
from followups import announcements, ownership
from followups.lifecycle import counts
from followups.lifecycle.changes import (
    NO_FAILURE,
    RELEASED,
    TransitionRefused,
    fail,
    finish,
    locked,
    template_record,
)
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from followups.wording.failures import Cause
from trochai.whatsapp.cloud_api.errors import manual_retry_delay
from trochai.whatsapp.cloud_api.failures import Failure


def settle_sent(attempt: FollowUpAttempt, *, whatsapp_id: str, at: dt.datetime, now: dt.datetime) -> Message:
    """Meta accepted this attempt: record the message and, unless it was canceled, mark the row sent.

    Both the worker (HTTP 200) and the webhook (a status that carries the attempt's id) come here, in
    either order: ``Message.attempt`` is unique, so the second finds what the first has written. A row
    that failed as unknown, or waits for another try, becomes sent as well; that try is withdrawn.
    """
    with transaction.atomic():
        # Where the row waits or has failed, somebody may decide about it now (followups.lifecycle.counts).
        # While it is being sent its worker settles it as well, which locks the row before its conversation.
        decidable = FollowUp.objects.filter(status__in=[Status.PENDING, Status.FAILED])
        counts.lock(decidable.filter(pk=attempt.follow_up_id))
        follow_up = locked(attempt.follow_up_id)
        recorded = Message.objects.filter(attempt=attempt.pk).first()
        if recorded is not None:
            return recorded
        returns_to = ownership.returns_of([follow_up]).get(follow_up.pk)
        record = template_record(
            follow_up,
            attempt,
            whatsapp_id=whatsapp_id,
            returns_to=returns_to,
            has_waited=follow_up.next_attempt_at is not None,
        )
        message = recording.record_template(record, at=at)
        finish(attempt, Outcome.ACCEPTED, now=now)
        provable = Q(status__in=[Status.PROCESSING, Status.FAILED, Status.PENDING])
        changed = FollowUp.objects.filter(provable, pk=follow_up.pk).update(
            status=Status.SENT,
            sent_at=at,
            message=message,
            next_attempt_at=None,
            held_reason="",
            **RELEASED,
            **NO_FAILURE,
        )
        if changed:
            announcements.announce_sent([follow_up], now=now)
        if message.delivery == Delivery.FAILED:  # a webhook that came first has already said so
            fail_undelivered(message, attempt, now=now)
    return message


@dataclass(frozen=True)
class Acceptance:
    """An attempt that Meta accepted, and its follow-up as it was claimed, with all that is recorded."""

    follow_up: FollowUp
    attempt: FollowUpAttempt
    whatsapp_id: str


def settle_all_sent(acceptances: Sequence[Acceptance], *, now: dt.datetime) -> None:
    """processing → sent for a group: what ``settle_sent`` does for one, in a handful of statements.

    Rows that a webhook has settled in the meantime, or that are no longer held, are settled one by one.
    """
    with transaction.atomic():
        held = _lock_held([acceptance.attempt for acceptance in acceptances])
        group = [acceptance for acceptance in acceptances if acceptance.attempt.pk in held]
        sent = [acceptance.follow_up for acceptance in group]
        returns = ownership.returns_of(sent)
        records = [
            template_record(
                each.follow_up,
                each.attempt,
                whatsapp_id=each.whatsapp_id,
                returns_to=returns.get(each.follow_up.pk),
                has_waited=True,
            )
            for each in group
        ]
        messages = bulk_recording.record_templates(records, at=now) if records else []
        _mark_sent([acceptance.attempt for acceptance in group], now=now)
        announcements.announce_sent(sent, now=now)
        for acceptance, message in zip(group, messages, strict=True):
            if message.delivery == Delivery.FAILED:  # a webhook that came first has already said so
                fail_undelivered(message, acceptance.attempt, now=now)
        for acceptance in acceptances:
            if acceptance.attempt.pk not in held:
                settle_sent(acceptance.attempt, whatsapp_id=acceptance.whatsapp_id, at=now, now=now)


def _lock_held(attempts: Sequence[FollowUpAttempt]) -> set[uuid.UUID]:
    """Lock the attempts' rows, always in the same order; return the attempts that nobody has settled yet."""
    by_row = {attempt.follow_up_id: attempt for attempt in attempts}
    rows = FollowUp.objects.filter(pk__in=by_row, status=Status.PROCESSING).order_by("pk")
    tokens = dict(rows.select_for_update().values_list("pk", "claim_token"))
    recorded = Message.objects.filter(attempt__in=[attempt.pk for attempt in attempts])
    return {attempt.pk for pk, attempt in by_row.items() if tokens.get(pk) == attempt.claim_token} - set(
        recorded.values_list("attempt", flat=True)
    )


def _mark_sent(attempts: Sequence[FollowUpAttempt], *, now: dt.datetime) -> None:
    """Mark the locked rows sent, each with the message that carries its attempt's id."""
    ids = [attempt.pk for attempt in attempts]
    FollowUpAttempt.objects.filter(pk__in=ids).update(outcome=Outcome.ACCEPTED, finished_at=now)
    calls = FollowUpAttempt.objects.filter(pk__in=ids, follow_up=OuterRef(OuterRef("pk")))
    message = Message.objects.filter(attempt__in=calls.values("pk")).values("pk")
    FollowUp.objects.filter(pk__in=[attempt.follow_up_id for attempt in attempts]).update(
        status=Status.SENT,
        sent_at=now,
        message=Subquery(message),
        next_attempt_at=None,
        **RELEASED,
        **NO_FAILURE,
    )


def fail_undelivered(message: Message, attempt: FollowUpAttempt, *, now: dt.datetime) -> bool:
    """sent or processing → failed: Meta had accepted the message and now says that it failed.

    A row that failed as "delivery unknown" gets the true reason. Returns whether the row changed; it
    does not if a later attempt has taken the place of this one.
    """
    with transaction.atomic():
        follow_up = locked(attempt.follow_up_id)
        newest = follow_up.attempts.order_by("-requested_at", "-pk").first()
        if newest is None or newest.pk != attempt.pk:
            return False
        delay = manual_retry_delay(message.error_code)
        concerned = FollowUp.objects.filter(
            Q(status=Status.SENT, message=message)
            | Q(status=Status.PROCESSING, claim_token=attempt.claim_token)
            | Q(status=Status.FAILED, failure_kind=FailureKind.UNKNOWN),
            pk=follow_up.pk,
        )
        try:
            fail(
                follow_up,
                concerned,
                kind=FailureKind.UNDELIVERED,
                failure=message.failure or Failure(cause=Cause.NOT_DELIVERED),
                now=now,
                retry_allowed_at=now + delay if delay else None,
                message=message,
            )
        except TransitionRefused:
            return False
    return True


def record_undelivered(
    attempt: FollowUpAttempt, *, whatsapp_id: str, at: dt.datetime, now: dt.datetime
) -> Message:
    """Record the message of an attempt whose first news is that it failed; its row is settled next."""
    with transaction.atomic():
        follow_up = locked(attempt.follow_up_id)
        recorded = Message.objects.filter(attempt=attempt.pk).first()
        if recorded is not None:
            return recorded
        finish(attempt, Outcome.ACCEPTED, now=now)
        return recording.record_template(template_record(follow_up, attempt, whatsapp_id=whatsapp_id), at=at)
