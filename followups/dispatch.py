"""Sends what is due: claim a batch, check it again, call Meta, settle what came of it.

The database row is the queue. No transaction is open during a call, and every step may be the last one
of this process: before ``lifecycle.request`` a row comes back by its lease, after it the row is never
called again but waits for the webhook, or for a person.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from conversations import consent
from followups import lifecycle
from followups.models import FailureKind, FollowUp, FollowUpAttempt
from templates_app.payload import template_payload
from templates_app.tasks import sync_soon
from trochai.clock import database_now
from trochai.whatsapp import channels, rate
from trochai.whatsapp.client import Accepted, WhatsAppClient, client_for
from trochai.whatsapp.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)

logger = structlog.get_logger(__name__)

# Set when this worker is told to stop: what is in flight is finished, the rest handed back.
stopping = threading.Event()

# Outcomes are written in groups of so many (10 to 25 is enough: 221 → 1,562 rows a second), at most this
# long after the first of them came. Seconds.
GROUP = 25
SETTLE_EVERY = 0.25
# How long to wait for a line on which nothing may be sent right now, in seconds: at least, and at most.
# One that is held back for longer is left to a later tick, as it would keep a worker idle.
LINE_PAUSE = (0.05, 6.0)
# A run ends before the next tick begins another. Seconds.
RUN_TIME = 50.0


@dataclass(frozen=True)
class Job:
    """A follow-up that passed the re-check, the ``template`` object that Meta is sent, and by whom."""

    follow_up: FollowUp
    payload: dict[str, Any]
    client: WhatsAppClient


@dataclass(frozen=True)
class Call:
    """How one call ended, and when this process saw it end."""

    follow_up: FollowUp
    attempt: FollowUpAttempt
    result: Accepted | WhatsAppError


def tidy_up(now: dt.datetime) -> None:
    """Settle what stayed unknown past its time, and take back what vanished workers held."""
    unknown = lifecycle.give_up_on_unknown(now=now)
    released = lifecycle.release_expired(now=now)
    if unknown or released:
        logger.warning("follow_ups_recovered", unknown=unknown, leases_expired=released)


def send_due() -> Iterator[bool]:
    """Send until nothing is due, yielding after each claim whether more was waiting.

    A bounded number of calls is in flight at any time; as some end, others begin. A row is claimed only
    just before it is sent, so that a backlog stays pending and can be canceled.
    """
    with Window() as window:
        started = time.monotonic()
        while not stopping.is_set() and time.monotonic() - started < RUN_TIME:
            now = database_now()
            claim = lifecycle.claim(limit=settings.FOLLOWUPS_BATCH_SIZE, now=now)
            if claim.follow_ups:
                window.send(claim)
                yield claim.more
                continue
            shortest, longest = LINE_PAUSE
            held_back = (claim.free_at - now).total_seconds() if claim.free_at else 0
            if not claim.more or held_back > longest:
                # Nothing to do but what is in flight, after which something may be due again.
                if not window.finish():
                    return
                continue
            window.pause(max(shortest, held_back))


class Window:
    """The calls that this worker has in flight, and what is known of them but not written down yet.

    All of the database's part is done by the thread that made it; only calls run in the pool.
    """

    def __init__(self) -> None:
        self._size = settings.FOLLOWUPS_CONCURRENCY
        self._pool = ThreadPoolExecutor(max_workers=self._size)
        self._in_flight: set[Future[Call]] = set()
        self._unsettled: list[Call] = []
        self._settled_at = time.monotonic()
        self._conversations: set[int] = set()
        self._halted: set[int] = set()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.finish()
        self._pool.shutdown()

    def send(self, claim: lifecycle.Claim) -> None:
        """Send the claimed rows; those that must not or cannot be sent now are settled without a call."""
        jobs = deque(_prepare(claim, self._conversations, database_now()))
        # What an earlier claim ran into does not concern this one: its channels may be claimed from.
        self._halted.clear()
        try:
            while jobs:
                if stopping.is_set():
                    return
                free = self._size - len(self._in_flight)
                if free >= min(GROUP, len(jobs), self._size):
                    self._begin([jobs.popleft() for _job in range(min(free, len(jobs)))], claim.token)
                else:
                    self.collect(timeout=SETTLE_EVERY)
        finally:
            lifecycle.hand_back([job.follow_up for job in jobs], token=claim.token)

    def pause(self, seconds: float) -> None:
        """Let ``seconds`` pass, settling what ends meanwhile."""
        until = time.monotonic() + seconds
        while not stopping.is_set() and (left := until - time.monotonic()) > 0:
            if self._in_flight:
                self.collect(timeout=left)
            else:
                stopping.wait(left)

    def finish(self) -> bool:
        """Wait for all calls and settle them; return whether there were any."""
        any_calls = bool(self._in_flight or self._unsettled)
        while self._in_flight:
            self.collect(timeout=SETTLE_EVERY)
        self._settle()
        return any_calls

    def collect(self, *, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for calls to end, and settle them in groups."""
        done, self._in_flight = wait(self._in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
        self._unsettled += [future.result() for future in done]
        is_time = time.monotonic() - self._settled_at >= SETTLE_EVERY
        if len(self._unsettled) >= GROUP or is_time or not self._in_flight:
            self._settle()

    def _begin(self, jobs: list[Job], token: uuid.UUID) -> None:
        held_up = [job.follow_up for job in jobs if job.follow_up.channel_id in self._halted]
        if held_up:
            lifecycle.hand_back(held_up, token=token)
        ready = [job for job in jobs if job.follow_up.channel_id not in self._halted]
        # Committed before the calls: what is in doubt after a crash is never more than what was in flight.
        follow_ups = [job.follow_up for job in ready]
        attempts = lifecycle.request(follow_ups, token=token, now=database_now()) if ready else {}
        for job in ready:
            if job.follow_up.pk in attempts:
                self._conversations.add(job.follow_up.conversation_id)
                self._in_flight.add(self._pool.submit(_call, job, attempts[job.follow_up.pk]))

    def _settle(self) -> None:
        calls, self._unsettled = self._unsettled, []
        self._settled_at = time.monotonic()
        settle(calls, halted=self._halted)
        self._conversations -= {call.follow_up.conversation_id for call in calls}


# Before the call ----------------------------------------------------------------------------------


def _prepare(claim: lifecycle.Claim, in_flight: set[int], now: dt.datetime) -> Iterator[Job]:
    """Check each row again; yield those to call, and settle or hand back the others.

    ``in_flight`` has the conversations that a message is on its way to already.
    """
    seen = set(in_flight)
    for follow_up in claim.follow_ups:
        try:
            job = _job_for(follow_up, claim.token, seen, now)
        except lifecycle.TransitionRefused:
            logger.info("follow_up_moved_on", follow_up=follow_up.pk)
        except DatabaseError:
            # Its lease brings it back.
            logger.exception("follow_up_not_prepared", follow_up=follow_up.pk)
        except Exception:
            # It would break each time, and the oldest rows come first: it must not stand in the way.
            logger.exception("follow_up_broken", follow_up=follow_up.pk)
            _fail_broken(follow_up, claim.token, now)
        else:
            if job is not None:
                seen.add(follow_up.conversation_id)
                yield job


def _job_for(follow_up: FollowUp, token: uuid.UUID, seen: set[int], now: dt.datetime) -> Job | None:
    problem = problem_with(follow_up, now)
    if problem is not None:
        kind, reason = problem
        lifecycle.fail_unsent(follow_up, token=token, kind=kind, reason=reason, now=now)
        logger.info("follow_up_not_sent", follow_up=follow_up.pk, kind=kind)
        return None
    free_at = _contact_free_at(follow_up, seen, now)
    if free_at > now:
        lifecycle.hand_back([follow_up], token=token, due_at=free_at)
        return None
    payload = template_payload(follow_up.template, follow_up.parameters)
    return Job(follow_up, payload, client_for(follow_up.channel))


def _fail_broken(follow_up: FollowUp, token: uuid.UUID, now: dt.datetime) -> None:
    reason = _("It could not be prepared for sending: something in it is broken.")
    try:
        lifecycle.fail_unsent(follow_up, token=token, kind=FailureKind.RECHECK, reason=reason, now=now)
    except Exception:
        logger.exception("follow_up_not_failed", follow_up=follow_up.pk)


def problem_with(follow_up: FollowUp, now: dt.datetime) -> tuple[FailureKind, str] | None:
    """Re-check at send time: return why the follow-up must not be sent any more, or None."""
    template, contact = follow_up.template, follow_up.conversation.contact
    limit = dt.timedelta(minutes=follow_up.organization.missed_after_minutes)
    if follow_up.next_attempt_at is not None and now - follow_up.next_attempt_at > limit:
        return FailureKind.MISSED, _("Missed: it could not be sent within %(hours)g hours of its time.") % {
            "hours": limit.total_seconds() / 3600
        }
    if contact.is_opted_out:
        return FailureKind.RECHECK, _("The contact no longer wants messages.")
    if not template.is_approved:
        return FailureKind.RECHECK, _("The template is no longer approved by WhatsApp (%(status)s).") % {
            "status": template.status_label
        }
    if not template.fits(follow_up.shape):
        return FailureKind.RECHECK, _("The template has changed since: its values no longer fit.")
    return None


def _contact_free_at(follow_up: FollowUp, seen: set[int], now: dt.datetime) -> dt.datetime:
    """Return when the contact may be written to: now, or 6 seconds after the last message."""
    if follow_up.conversation_id in seen:
        return now + rate.PAIR_INTERVAL
    last = follow_up.conversation.last_outbound_at
    return now if last is None else max(now, last + rate.PAIR_INTERVAL)


# The call -----------------------------------------------------------------------------------------


def _call(job: Job, attempt: FollowUpAttempt) -> Call:
    """Hand one message to Meta. Runs in a pool thread: no database here."""
    try:
        result: Accepted | WhatsAppError = job.client.send_template(
            recipient=job.follow_up.conversation.contact.recipient,
            template=job.payload,
            reference=f"attempt:{attempt.pk}",
        )
    except WhatsAppError as error:
        result = error
    except Exception:
        # The request may have left before whatever broke: it must not be repeated.
        logger.exception("follow_up_call_broke", follow_up=job.follow_up.pk, attempt=str(attempt.pk))
        result = OutcomeUnknown(_("Something unexpected happened during the call."))
    return Call(job.follow_up, attempt, result)


# After the call -----------------------------------------------------------------------------------


def settle(calls: Sequence[Call], *, halted: set[int]) -> None:
    """Write down how the calls ended: together in one transaction, or one by one if that fails.

    What cannot be written at all stays requested, and after the reconciliation time becomes "delivery
    unknown": it is never sent again by itself. ``halted`` collects channels to leave alone for now.
    """
    if not calls:
        return
    try:
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
    except Exception as error:
        logger.info("follow_ups_settled_one_by_one", why=type(error).__name__)
        if not connection.in_atomic_block:
            # After a restart of the database this connection would refuse everything for good.
            connection.close_if_unusable_or_obsolete()
        for call in calls:
            _settle_alone(call)
    else:
        for call in calls:
            _log(call)
    _tell_channels(calls, halted=halted)


def _settle_alone(call: Call) -> None:
    try:
        with transaction.atomic():
            _settle_one(call, database_now())
    except lifecycle.TransitionRefused:
        logger.info("follow_up_moved_on", follow_up=call.follow_up.pk)
    except Exception:
        logger.exception("follow_up_not_settled", follow_up=call.follow_up.pk, attempt=str(call.attempt.pk))
    else:
        _log(call)


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


def _log(call: Call) -> None:
    log = logger.bind(follow_up=call.follow_up.pk, attempt=str(call.attempt.pk))
    if isinstance(call.result, Accepted):
        log.info("follow_up_sent")
    else:
        log.warning("follow_up_not_accepted", outcome=type(call.result).__name__, code=call.result.code)


def _tell_channels(calls: Iterable[Call], *, halted: set[int]) -> None:
    """Slow down, stop or resume the channels as their answers say."""
    for call in calls:
        try:
            _tell_channel(call, halted)
        except Exception:
            # The next call on the channel meets the same answer.
            logger.exception("channel_not_told", channel=call.follow_up.channel_id)


def _tell_channel(call: Call, halted: set[int]) -> None:
    channel, result = call.follow_up.channel, call.result
    if isinstance(result, ChannelError):
        halted.add(channel.pk)
        channels.stop(channel.pk, code=result.code, reason=result.reason, now=database_now())
    elif isinstance(result, TemporaryError) and result.slow_down is not None:
        halted.add(channel.pk)
        rate.slow_down(channel.pk, result.slow_down, database_now())
    elif isinstance(result, Accepted) and channel.is_stopped and channel.pk not in halted:
        channels.resume(channel.pk)
