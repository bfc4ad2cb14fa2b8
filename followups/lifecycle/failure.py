"""A follow-up that was not sent, or whose outcome nobody knows: tried again, failed, or left to a person."""

from __future__ import annotations

import datetime as dt
import uuid

import structlog
from django.db import transaction

from conversations.models import Message
from followups import retries
from followups.attention.events import retry_planned
from followups.lifecycle.changes import (
    RELEASED,
    TransitionRefused,
    fail,
    finish,
    held,
    locked,
    refusal,
)
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from trochai.whatsapp.cloud_api.failures import Failure

logger = structlog.get_logger(__name__)


def settle_retry(
    attempt: FollowUpAttempt,
    *,
    kind: FailureKind,
    failure: Failure,
    details: str,
    now: dt.datetime,
) -> None:
    """processing → pending after a temporary error, or → failed after the fourth.

    Raises ``TransitionRefused`` when the row has moved on (a webhook has settled it).
    """
    with transaction.atomic():
        follow_up = locked(attempt.follow_up_id)
        failures = follow_up.failures + 1
        due_at = retries.next_attempt_at(failures, now)
        outcome = Outcome.CHANNEL if kind == FailureKind.CHANNEL else Outcome.TEMPORARY
        finish(attempt, outcome, now=now, code=failure.code, cause=failure.cause, details=details)
        if due_at is None:
            fail(follow_up, held(attempt), kind=kind, failure=failure, now=now, failures=failures)
            return
        changed = held(attempt).update(
            status=Status.PENDING,
            next_attempt_at=due_at,
            failures=failures,
            failure_kind=kind,
            **failure.columns("failure"),
            **RELEASED,
        )
        if not changed:
            raise TransitionRefused(refusal(follow_up))
        retry_planned(follow_up.pk)


def settle_failed(
    attempt: FollowUpAttempt,
    *,
    failure: Failure,
    details: str,
    retry_allowed_at: dt.datetime | None,
    now: dt.datetime,
) -> None:
    """processing → failed after a permanent error. Raises ``TransitionRefused`` as above."""
    with transaction.atomic():
        follow_up = locked(attempt.follow_up_id)
        finish(attempt, Outcome.PERMANENT, now=now, code=failure.code, cause=failure.cause, details=details)
        fail(
            follow_up,
            held(attempt),
            kind=FailureKind.PERMANENT,
            failure=failure,
            now=now,
            retry_allowed_at=retry_allowed_at,
        )


def settle_unknown(attempt: FollowUpAttempt, *, failure: Failure, details: str, now: dt.datetime) -> None:
    """Nobody knows how the call ended: the row stays processing until a webhook or the time decides.

    What a webhook has said about the attempt in the meantime is kept.
    """
    if not Message.objects.filter(attempt=attempt.pk).exists():
        finish(attempt, Outcome.UNKNOWN, now=now, cause=failure.cause, details=details)


def fail_unsent(
    follow_up: FollowUp, *, token: uuid.UUID, kind: FailureKind, failure: Failure, now: dt.datetime
) -> None:
    """processing → failed without a call: missed, or no longer sendable."""
    with transaction.atomic():
        held = FollowUp.objects.filter(
            pk=follow_up.pk, status=Status.PROCESSING, claim_token=token, requested_at__isnull=True
        )
        fail(follow_up, held, kind=kind, failure=failure, now=now)
