"""After the call: writes down how it ended, and tells the channel what its answer says of it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from conversations import consent
from followups import lifecycle
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome
from templates_app.tasks import sync_soon
from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp import verdicts
from trochai.whatsapp.cloud_api.client import Accepted
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Call:
    """How the call of an attempt ended, for its follow-up as it was claimed."""

    follow_up: FollowUp
    attempt: FollowUpAttempt
    result: Accepted | WhatsAppError


def settle(calls: Sequence[Call]) -> list[Call]:
    """Write down how the calls ended: together in one transaction, or one by one if that fails.

    Returns those to settle again later, because the database cannot be reached. What cannot be written
    for any other reason stays requested, and after the reconciliation time becomes "delivery unknown":
    it is never sent again by itself.
    """
    if not calls:
        return []
    with metrics.SETTLEMENT_SECONDS.time():
        try:
            now = _settle_together(calls)
        except Exception as error:
            logger.info("follow_ups_settled_one_by_one", why=type(error).__name__)
            if not connection.in_atomic_block:
                # After a restart of the database this connection would refuse everything for good.
                connection.close_if_unusable_or_obsolete()
            return [call for call in calls if not _settle_alone(call)]
    metrics.BATCH_SIZE.observe(len(calls))
    for call in calls:
        _log(call, now)
    return []


def _settle_together(calls: Sequence[Call]) -> dt.datetime:
    now = database_now()
    accepted = [
        lifecycle.Acceptance(call.follow_up, call.attempt, call.result.message_id)
        for call in calls
        if isinstance(call.result, Accepted)
    ]
    with transaction.atomic():
        if accepted:
            lifecycle.settle_all_sent(accepted, now=now)
        for call in calls:
            if not isinstance(call.result, Accepted):
                _settle_one(call, now)
    return now


def _settle_alone(call: Call) -> bool:
    """Return False where it should be tried again."""
    try:
        now = database_now()
        with transaction.atomic():
            _settle_one(call, now)
    except lifecycle.TransitionRefused:
        _count(call, now)
        logger.info("follow_up_moved_on", follow_up=call.follow_up.pk)
    except (OperationalError, InterfaceError) as error:
        logger.warning("follow_up_not_settled_yet", follow_up=call.follow_up.pk, why=type(error).__name__)
        connection.close_if_unusable_or_obsolete()
        return False
    except Exception:
        logger.exception("follow_up_not_settled", follow_up=call.follow_up.pk, attempt=str(call.attempt.pk))
    else:
        _log(call, now)
    return True


def _settle_one(call: Call, now: dt.datetime) -> None:
    attempt, result = call.attempt, call.result
    match result:
        case Accepted():
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
                consent.opt_out(call.follow_up.conversation.contact, at=now, now=now)
            if result.template_unusable:
                sync_soon(call.follow_up.channel_id)
        case OutcomeUnknown():
            lifecycle.settle_unknown(attempt, failure=result.failure, details=result.details, now=now)


_OUTCOMES: dict[type[Accepted | WhatsAppError], Outcome] = {
    Accepted: Outcome.ACCEPTED,
    TemporaryError: Outcome.TEMPORARY,
    ChannelError: Outcome.CHANNEL,
    PermanentError: Outcome.PERMANENT,
    OutcomeUnknown: Outcome.UNKNOWN,
}


def _count(call: Call, now: dt.datetime) -> None:
    metrics.CALLS.labels(_OUTCOMES[type(call.result)]).inc()
    due_at = call.follow_up.next_attempt_at
    if isinstance(call.result, Accepted) and due_at is not None:
        metrics.LATENESS_SECONDS.observe((now - due_at).total_seconds())


def _log(call: Call, now: dt.datetime) -> None:
    _count(call, now)
    outcome = _OUTCOMES[type(call.result)]
    ids = {"follow_up": call.follow_up.pk, "attempt": str(call.attempt.pk)}
    if isinstance(call.result, Accepted):
        logger.info("follow_up_sent", **ids)
    else:
        logger.warning(
            "follow_up_not_accepted", **ids, outcome=outcome, code=call.result.code, cause=call.result.cause
        )


def tell_channels(calls: Iterable[Call]) -> set[int]:
    """Slow down, stop or resume the channels as their answers say; return those to leave alone for now."""
    # By token too: another call of the group may have used a newer one.
    used: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for call in calls:
        used[call.follow_up.channel_id, call.follow_up.channel.access_token].append(call)
    return {channel_id for (channel_id, token), group in used.items() if _heeded(group, token)}


def _heeded(calls: list[Call], token: str) -> bool:
    channel, answers = calls[0].follow_up.channel, [call.result for call in calls]
    try:
        return verdicts.heed(channel, *answers, token=token)
    except Exception:
        # The next call on the channel meets the same answer.
        logger.exception("channel_not_told", channel=channel.pk)
        return any(verdicts.concerns_channel(answer) for answer in answers)
