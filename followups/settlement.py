"""After the call: writes down how it ended, and tells the channel what its answer says of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from conversations import consent
from followups import lifecycle
from followups.models import FailureKind, FollowUp, FollowUpAttempt
from templates_app.tasks import sync_soon
from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp import channels, rate
from trochai.whatsapp.client import Accepted
from trochai.whatsapp.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)
from trochai.whatsapp.models import Channel

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
            _settle_together(calls)
        except Exception as error:
            logger.info("follow_ups_settled_one_by_one", why=type(error).__name__)
            if not connection.in_atomic_block:
                # After a restart of the database this connection would refuse everything for good.
                connection.close_if_unusable_or_obsolete()
            return [call for call in calls if not _settle_alone(call)]
    metrics.BATCH_SIZE.observe(len(calls))
    for call in calls:
        _log(call)
    return []


def _settle_together(calls: Sequence[Call]) -> None:
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
    for acceptance in accepted:
        if (due_at := acceptance.follow_up.next_attempt_at) is not None:
            metrics.LATENESS_SECONDS.observe((now - due_at).total_seconds())


def _settle_alone(call: Call) -> bool:
    """Return False where it should be tried again."""
    try:
        with transaction.atomic():
            _settle_one(call, database_now())
    except lifecycle.TransitionRefused:
        logger.info("follow_up_moved_on", follow_up=call.follow_up.pk)
    except (OperationalError, InterfaceError) as error:
        logger.warning("follow_up_not_settled_yet", follow_up=call.follow_up.pk, why=type(error).__name__)
        connection.close_if_unusable_or_obsolete()
        return False
    except Exception:
        logger.exception("follow_up_not_settled", follow_up=call.follow_up.pk, attempt=str(call.attempt.pk))
    else:
        _log(call)
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
                code=result.code,
                reason=result.reason,
                details=result.details,
                now=now,
            )
        case PermanentError():
            later = result.retry_after
            lifecycle.settle_failed(
                attempt,
                code=result.code,
                reason=result.reason,
                details=result.details,
                retry_allowed_at=now + later if later else None,
                now=now,
            )
            if result.opted_out:
                consent.opt_out(call.follow_up.conversation.contact, at=now, now=now)
            if result.template_unusable:
                sync_soon(call.follow_up.channel_id)
        case OutcomeUnknown():
            lifecycle.settle_unknown(attempt, reason=result.reason, details=result.details, now=now)


_OUTCOMES: dict[type[Accepted | WhatsAppError], str] = {
    Accepted: "accepted",
    TemporaryError: "temporary",
    ChannelError: "channel",
    PermanentError: "permanent",
    OutcomeUnknown: "unknown",
}


def _log(call: Call) -> None:
    outcome = _OUTCOMES[type(call.result)]
    metrics.CALLS.labels(outcome).inc()
    ids = {"follow_up": call.follow_up.pk, "attempt": str(call.attempt.pk)}
    if isinstance(call.result, Accepted):
        logger.info("follow_up_sent", **ids)
    else:
        logger.warning("follow_up_not_accepted", **ids, outcome=outcome, code=call.result.code)


def concerns_channel(result: Accepted | WhatsAppError) -> bool:
    """Return whether an answer says that its channel should slow down or stop."""
    if isinstance(result, Accepted | TemporaryError):
        return result.slow_down is not None
    return isinstance(result, ChannelError)


def tell_channels(calls: Iterable[Call]) -> set[int]:
    """Slow down, stop or resume the channels as their answers say; return those to leave alone for now."""
    known: dict[int, Channel] = {}
    slow_down: dict[int, dt.timedelta] = {}
    stopped: dict[int, ChannelError] = {}
    working: set[int] = set()
    for call in calls:
        channel, result = call.follow_up.channel, call.result
        known[channel.pk] = channel
        if isinstance(result, ChannelError):
            stopped[channel.pk] = result
        elif isinstance(result, Accepted | TemporaryError) and result.slow_down is not None:
            slow_down[channel.pk] = max(result.slow_down, slow_down.get(channel.pk, dt.timedelta()))
        elif isinstance(result, Accepted) and channel.is_stopped:
            working.add(channel.pk)
    for channel_id in {*stopped, *slow_down, *working}:
        try:
            if channel_id in stopped:
                error = stopped[channel_id]
                channels.stop(
                    channel_id,
                    code=error.code,
                    reason=error.reason,
                    token=known[channel_id].access_token,
                    now=database_now(),
                )
            elif channel_id in slow_down:
                rate.slow_down(known[channel_id], slow_down[channel_id])
            else:
                channels.resume(channel_id, stopped_at=known[channel_id].stopped_at)
        except Exception:
            # The next call on the channel meets the same answer.
            logger.exception("channel_not_told", channel=channel_id)
    return {*stopped, *slow_down}
