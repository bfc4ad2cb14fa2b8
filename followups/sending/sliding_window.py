"""The calls that a worker has in flight, what waits to follow them, and what is not written down yet."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from followups import lifecycle
from followups.models import FollowUp, FollowUpAttempt
from followups.sending import settlement
from followups.sending.preparation import Job, prepare
from followups.sending.settlement import Call
from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp import rate, references, verdicts
from trochai.whatsapp.cloud_api.burst import Burst, Outgoing
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown
from trochai.whatsapp.cloud_api.failures import Cause

logger = structlog.get_logger(__name__)

# Set when this worker is told to stop: what is in flight is finished, the rest is handed back.
stopping = threading.Event()

# All in seconds by the monotonic clock, but for GROUP.
#
# Where that many wait, rows are marked as requested, and outcomes written, in groups of at least GROUP; an
# outcome waits at most SETTLE_EVERY. When one row's moment is only LEAD ahead, all whose moments come within
# LEAD_OF_ALL are marked with it.
GROUP = 50
SETTLE_EVERY = 0.25
LEAD = 0.05
LEAD_OF_ALL = 0.15
# How far ahead new slots are looked for, for rows that missed theirs; rows that get none are handed back.
NEW_SLOTS = dt.timedelta(seconds=0.5)
# How long outcomes are kept while the database cannot be reached, and how often it is tried.
SETTLE_PATIENCE = 60.0
SETTLE_AGAIN = 1.0


class SlidingWindow:
    """The calls that this worker has in flight, what waits to follow them, and what is not written down yet.

    The thread that made it does all the database work; the calls run in the burst's thread.
    """

    def __init__(self) -> None:
        self._size = settings.FOLLOWUPS_CONCURRENCY
        self._burst: Burst | None = None
        self._waiting: list[Job] = []
        self._in_flight: dict[str, tuple[Job, FollowUpAttempt]] = {}
        self._unsettled: list[Call] = []
        self._settle_at = math.inf

    def __enter__(self) -> SlidingWindow:
        return self

    def __exit__(self, *_exception: object) -> None:
        waiting, self._waiting = self._waiting, []
        handed_back = self._hand_back(waiting)
        self._finish()
        if not handed_back:
            # The database was away, perhaps only for a moment.
            self._hand_back(waiting)

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._in_flight or self._unsettled)

    @property
    def has_room(self) -> bool:
        return len(self._waiting) < GROUP

    def add(self, claim: lifecycle.Claim) -> None:
        """Take in the claimed rows; those that must not or cannot be sent now are settled without a call."""
        busy = {follow_up.conversation_id for follow_up in self._held()}
        jobs = prepare(claim, busy=busy, now=database_now())
        now = time.monotonic()
        metrics.LINE_WAIT_SECONDS.labels("line").inc(sum(max(0.0, job.at - now) for job in jobs))
        self._waiting += jobs
        self._waiting.sort(key=lambda job: job.at)
        if self._waiting:
            # Before the first row's moment is looked at: opening it takes a moment itself.
            self._opened()

    def work(self, *, until: float) -> None:
        """Begin what may leave and settle what has ended, until that moment or until a call ends."""
        begin_at = self._begin_ready()
        now = time.monotonic()
        self._collect(timeout=min(until, begin_at, self._settle_at) - now)
        enough = len(self._unsettled) >= GROUP or not (self._in_flight or self._waiting)
        if self._unsettled and (enough or time.monotonic() >= self._settle_at):
            self._settle()

    def _begin_ready(self) -> float:
        """Begin the calls whose moment has come; return when the next one's does."""
        now = time.monotonic()
        is_time = any(job.at <= now + LEAD for job in self._waiting[:1])
        ready = sum(job.at <= now + LEAD_OF_ALL for job in self._waiting) if is_time else 0
        free = self._size - len(self._in_flight)
        if ready and free < min(ready, GROUP, self._size):
            return math.inf  # as soon as enough calls have ended
        jobs, self._waiting = self._waiting[: min(ready, free)], self._waiting[min(ready, free) :]
        for _token, group in groupby(self._in_time(jobs), key=lambda job: job.token):
            self._mark(list(group))
        return self._waiting[0].at - LEAD if self._waiting else math.inf

    def _in_time(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs whose moments have not passed; the others wait again, for new ones."""
        too_late = time.monotonic() - rate.TOLERANCE.total_seconds()
        late = [job for job in jobs if job.at < too_late]
        renewed, left = _reserve_again(late)
        self._waiting += renewed
        self._waiting.sort(key=lambda job: job.at)
        self._hand_back(left)
        return [job for job in jobs if job.at >= too_late]

    def _mark(self, jobs: list[Job]) -> None:
        """Mark the rows as requested, and begin their calls."""
        follow_ups = [job.follow_up for job in jobs]
        # Committed before the calls: what is in doubt after a crash is never more than what was in flight.
        attempts = lifecycle.request(follow_ups, token=jobs[0].token, now=database_now())
        self._call([(job, attempts[job.follow_up.pk]) for job in jobs if job.follow_up.pk in attempts])

    def _call(self, requested: list[tuple[Job, FollowUpAttempt]]) -> None:
        outgoing = []
        for job, attempt in requested:
            recipient = job.follow_up.conversation.contact.recipient
            outgoing.append(Outgoing(job.client, recipient, job.payload, _reference(attempt), job.at))
        self._opened().begin(outgoing)
        self._in_flight |= {_reference(attempt): (job, attempt) for job, attempt in requested}

    def _collect(self, *, timeout: float) -> None:
        if self._burst is None or not self._in_flight:
            stopping.wait(max(timeout, 0) if timeout < math.inf else 0)
            return
        missed = []
        finished = self._burst.ended(timeout=min(timeout, SETTLE_EVERY))
        if not finished and not self._burst.is_alive:
            self._give_up_calls()
        for call in finished:
            job, attempt = self._in_flight.pop(call.reference)
            if call.result is None:
                missed.append((job, attempt))
                continue
            metrics.CALL_SECONDS.observe(call.seconds)
            self._unsettled.append(Call(job.follow_up, attempt, call.result))
            # What an answer says of its channel is heeded before the next call on it.
            patience = 0 if verdicts.concerns_channel(call.result) else SETTLE_EVERY
            self._settle_at = min(self._settle_at, time.monotonic() + patience)
        if missed:
            self._call_again(missed)

    def _give_up_calls(self) -> None:
        """Nobody will ever say how the calls under way ended."""
        unknown = OutcomeUnknown(cause=Cause.BROKE_OFF)
        self._unsettled += [
            Call(job.follow_up, attempt, unknown) for job, attempt in self._in_flight.values()
        ]
        self._in_flight.clear()
        self._burst = None
        self._settle_at = 0.0

    def _call_again(self, missed: list[tuple[Job, FollowUpAttempt]]) -> None:
        """Give new moments to those that were marked in time but did not leave in time."""
        attempts = {job.follow_up.pk: attempt for job, attempt in missed}
        try:
            held = lifecycle.request_again(list(attempts.values()), now=database_now())
            renewed, left = _reserve_again([job for job, attempt in missed if attempt.pk in held])
            self._call([(job, attempts[job.follow_up.pk]) for job in renewed])
            if left:
                lifecycle.withdraw([attempts[job.follow_up.pk] for job in left])
        except DatabaseError:
            # What is not under way again becomes "delivery unknown", and a person decides.
            logger.exception("follow_ups_not_called_again", count=len(missed))

    def _settle(self) -> None:
        calls = self._unsettled
        self._unsettled = settlement.settle(calls)
        self._settle_at = time.monotonic() + SETTLE_AGAIN if self._unsettled else math.inf
        halted = settlement.tell_channels(calls)
        held_up = [job for job in self._waiting if job.follow_up.channel_id in halted]
        if held_up:
            self._waiting = [job for job in self._waiting if job.follow_up.channel_id not in halted]
            self._hand_back(held_up)

    def _finish(self) -> None:
        """Wait for all calls and settle them, patiently if the database is away."""
        while self._in_flight:
            self._collect(timeout=SETTLE_EVERY)
            if len(self._unsettled) >= GROUP or time.monotonic() >= self._settle_at:
                self._settle()
        if self._burst is not None:
            self._burst.close()
        give_up_at = time.monotonic() + SETTLE_PATIENCE
        while self._unsettled and time.monotonic() < give_up_at:
            self._settle()
            if self._unsettled:
                time.sleep(SETTLE_AGAIN)
        for call in self._unsettled:
            logger.error("follow_up_not_settled", follow_up=call.follow_up.pk, attempt=str(call.attempt.pk))

    def _opened(self) -> Burst:
        if self._burst is None:
            self._burst = Burst()
        return self._burst

    def _held(self) -> Iterator[FollowUp]:
        yield from (job.follow_up for job in self._waiting)
        yield from (job.follow_up for job, _attempt in self._in_flight.values())
        yield from (call.follow_up for call in self._unsettled)

    def _hand_back(self, jobs: list[Job]) -> bool:
        """Return whether it is done; if not, the rows' leases bring them back."""
        try:
            for token, group in groupby(jobs, key=lambda job: job.token):
                lifecycle.hand_back([job.follow_up for job in group], token=token)
        except DatabaseError:
            logger.exception("follow_ups_not_handed_back", count=len(jobs))
            connection.close_if_unusable_or_obsolete()
            return False
        return True


def _reference(attempt: FollowUpAttempt) -> str:
    return references.build(references.Kind.ATTEMPT, attempt.pk)


def _reserve_again(jobs: list[Job]) -> tuple[list[Job], list[Job]]:
    """Return the jobs that got new moments, and those whose lines have none soon.

    This worker held them up: without new moments they would all leave at once.
    """
    renewed, left = [], []
    jobs = sorted(jobs, key=lambda job: job.follow_up.channel_id)
    for _channel_id, group in groupby(jobs, key=lambda job: job.follow_up.channel_id):
        late = list(group)
        slots = rate.reserve(late[0].follow_up.channel, len(late), ahead=NEW_SLOTS)
        renewed += [replace(job, at=at) for job, at in zip(late, slots.times(), strict=False)]
        left += late[slots.count :]
    return renewed, left
