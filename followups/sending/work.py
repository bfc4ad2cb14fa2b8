"""Follow-ups as the engine sends them: what is due, the last check, and what their calls lead to."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence

import structlog
from django.conf import settings
from django.db import transaction

from conversations import consent, identity
from conversations.models import OptOutSource
from followups import lifecycle
from followups.holds.brake import now_held
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome
from followups.sending.recheck import contact_free_at, problem_with, quiet_until
from followups.wording.failures import Cause
from templates_app.payload import template_payload
from templates_app.tasks import sync_soon
from trochai import metrics
from trochai.whatsapp import references
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.client import Accepted, client_for
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.sending import work
from trochai.whatsapp.sending.dispatch import Dispatcher

logger = structlog.get_logger(__name__)

Job = work.Job[FollowUp]
Marked = work.Marked[FollowUp, FollowUpAttempt]
Call = work.Call[FollowUp, FollowUpAttempt]

_OUTCOMES: dict[type[Accepted | WhatsAppError], Outcome] = {
    Accepted: Outcome.ACCEPTED,
    TemporaryError: Outcome.TEMPORARY,
    ChannelError: Outcome.CHANNEL,
    PermanentError: Outcome.PERMANENT,
    OutcomeUnknown: Outcome.UNKNOWN,
}


class FollowUps:
    """Implements ``trochai.whatsapp.sending.work.Work``."""

    name = "follow_ups"

    @property
    def batch(self) -> int:
        return settings.FOLLOWUPS_BATCH_SIZE

    @property
    def at_once(self) -> int:
        return settings.FOLLOWUPS_CONCURRENCY

    # Before the call ------------------------------------------------------------------------------

    def claim(self, *, now: dt.datetime) -> work.Claim[FollowUp]:
        return lifecycle.claim(limit=self.batch, now=now)

    def job_for(
        self, row: FollowUp, *, token: uuid.UUID, busy: Collection[int], now: dt.datetime
    ) -> Job | None:
        if row.conversation.contact.is_in_doubt:
            lifecycle.hold_claimed(row, token=token, now=now)
            return None
        problem = problem_with(row, now)
        if problem is not None:
            if now_held().holds(row):
                # It may still be sent: what is too late is asked about when the hold is released.
                lifecycle.hand_back([row.pk], token=token)
                return None
            kind, failure = problem
            lifecycle.fail_unsent(row, token=token, kind=kind, failure=failure, now=now)
            metrics.UNSENT.labels(kind).inc()
            logger.info("follow_up_not_sent", follow_up=row.pk, kind=kind, cause=failure.cause)
            return None
        if quiet := quiet_until(row, now):
            until, zone = quiet
            lifecycle.hand_back([row.pk], token=token, due_at=until, quiet_in=zone)
            logger.info("follow_up_waits_for_hours", follow_up=row.pk, zone=zone)
            return None
        free_at = contact_free_at(row, busy, now)
        if free_at > now:
            lifecycle.hand_back([row.pk], token=token, due_at=free_at)
            metrics.LINE_WAIT_SECONDS.labels("contact").inc((free_at - now).total_seconds())
            return None
        content = payloads.template(template_payload(row.template, row.parameters))
        recipient = row.conversation.contact.recipient_on(row.channel)
        kept = lifecycle.what_is_sent(row)
        return work.Job(row, token, client_for(row.channel), recipient, content, kept)

    def fail_broken(self, row: FollowUp, *, token: uuid.UUID, now: dt.datetime) -> None:
        failure = Failure(cause=Cause.BROKEN)
        lifecycle.fail_unsent(row, token=token, kind=FailureKind.RECHECK, failure=failure, now=now)
        metrics.UNSENT.labels(FailureKind.RECHECK).inc()

    def mark(self, jobs: Sequence[Job], *, now: dt.datetime) -> list[Marked]:
        sent = {job.row.pk: job.kept for job in jobs}
        attempts = lifecycle.request(sent, token=jobs[0].token, now=now)
        return [_marked(job, attempts[job.row.pk]) for job in jobs if job.row.pk in attempts]

    def mark_again(self, marked: Sequence[Marked], *, now: dt.datetime) -> list[Marked]:
        held = lifecycle.request_again([each.attempt for each in marked], now=now)
        return [each for each in marked if each.attempt.pk in held]

    def withdraw(self, marked: Sequence[Marked]) -> None:
        lifecycle.withdraw([each.attempt for each in marked])

    def hand_back(self, rows: Sequence[FollowUp], *, token: uuid.UUID) -> None:
        lifecycle.hand_back([row.pk for row in rows], token=token)

    # After it -------------------------------------------------------------------------------------

    def settle_together(self, calls: Sequence[Call], *, now: dt.datetime) -> None:
        accepted = [
            lifecycle.Acceptance(call.row, call.attempt, call.result.message_id)
            for call in calls
            if isinstance(call.result, Accepted)
        ]
        with transaction.atomic():
            if accepted:
                lifecycle.settle_all_sent(accepted, now=now)
            for call in calls:
                if isinstance(call.result, Accepted):
                    _learn_wa_id(call, call.result)
                else:
                    _settle(call, now)

    def settle(self, call: Call, *, now: dt.datetime) -> None:
        with transaction.atomic():
            _settle(call, now)

    def note(self, call: Call, *, now: dt.datetime, moved_on: bool = False) -> None:
        outcome, ids = _OUTCOMES[type(call.result)], self.ids(call.row, call.attempt)
        metrics.CALLS.labels(outcome).inc()
        due_at = call.row.next_attempt_at
        if isinstance(call.result, Accepted) and due_at is not None:
            metrics.LATENESS_SECONDS.observe((now - due_at).total_seconds())
        if moved_on:
            logger.info("follow_up_moved_on", **ids)
        elif isinstance(call.result, Accepted):
            logger.info("follow_up_sent", **ids)
        else:
            refusal = {"outcome": outcome, "code": call.result.code, "cause": call.result.cause}
            logger.warning("follow_up_not_accepted", **ids, **refusal)

    def ids(self, row: FollowUp, attempt: FollowUpAttempt | None = None) -> dict[str, object]:
        return {"follow_up": row.pk} | ({"attempt": str(attempt.pk)} if attempt else {})


def _marked(job: Job, attempt: FollowUpAttempt) -> Marked:
    return work.Marked(job, attempt, references.build(references.Kind.ATTEMPT, attempt.pk))


def _learn_wa_id(call: Call, accepted: Accepted) -> None:
    sent_to = call.row.conversation.contact.phone
    identity.learn_wa_id(call.row.channel, sent_to=sent_to, wa_id=accepted.wa_id)


def _settle(call: Call, now: dt.datetime) -> None:
    attempt, result = call.attempt, call.result
    match result:
        case Accepted():
            _learn_wa_id(call, result)
            lifecycle.settle_sent(attempt, whatsapp_id=result.message_id, at=now, now=now)
        case TemporaryError() | ChannelError():
            is_channel = isinstance(result, ChannelError)
            lifecycle.settle_retry(
                attempt,
                kind=FailureKind.CHANNEL if is_channel else FailureKind.TEMPORARY,
                failure=result.failure,
                details=result.details,
                now=now,
            )
        case PermanentError():
            later = result.retry_after
            lifecycle.settle_failed(
                attempt,
                failure=result.failure,
                details=result.details,
                retry_allowed_at=now + later if later else None,
                now=now,
            )
            if result.opted_out:
                consent.opt_out(call.row.conversation.contact, at=now, source=OptOutSource.REFUSAL, now=now)
            if result.template_unusable:
                sync_soon(call.row.channel_id)
        case OutcomeUnknown():
            lifecycle.settle_unknown(attempt, failure=result.failure, details=result.details, now=now)


dispatcher = Dispatcher(FollowUps())
