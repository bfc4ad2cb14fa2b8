"""Sends what is due: claim a batch, check it again, call Meta, settle what came of it.

The database row is the queue. No transaction is open during a call, and every step may be the last one
of this process: before ``lifecycle.request`` a row comes back by its lease, after it the row is never
called again but waits for the webhook, or for a person.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Iterator
from itertools import groupby

import structlog
from django.conf import settings
from django.db import DatabaseError

from followups import lifecycle, settlement
from followups.models import FollowUp, FollowUpAttempt
from followups.preparation import Job, prepare
from followups.settlement import Call
from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp.burst import Burst, Outgoing

logger = structlog.get_logger(__name__)

# Set when this worker is told to stop: what is in flight is finished, the rest handed back.
stopping = threading.Event()

# All in seconds by the monotonic clock, but for GROUP.
#
# Rows are marked as requested, and outcomes written, in groups of at least so many where that many wait;
# an outcome waits at most SETTLE_EVERY, and a row is marked at most LEAD before its moment comes.
GROUP = 50
SETTLE_EVERY = 0.25
LEAD = 0.05
# How often a line that gives only a few slots at a time is asked for more: well within rate.LOOKAHEAD.
CLAIM_EVERY = 0.1
# How long to wait for a line on which nothing may be sent right now: at least, and at most. One that is
# held back for longer is left to a later tick, as it would keep a worker idle.
LINE_PAUSE = (0.05, 6.0)
# A run ends before the next tick begins another.
RUN_TIME = 50.0
# How long outcomes are kept while the database cannot be reached, and how often it is tried.
SETTLE_PATIENCE = 60.0
SETTLE_AGAIN = 1.0


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
    ends_at = time.monotonic() + RUN_TIME
    claim_at = 0.0
    with metrics.RUN_SECONDS.time(), Window() as window:
        while not stopping.is_set() and time.monotonic() < ends_at:
            if claim_at == math.inf and window.is_idle:
                # What held rows back may have left with the last calls.
                claim_at = 0.0
            if window.has_room and time.monotonic() >= claim_at:
                claim = lifecycle.claim(limit=settings.FOLLOWUPS_BATCH_SIZE, now=database_now())
                pause = _pause_after(claim)
                if not claim.follow_ups and window.is_idle and pause > LINE_PAUSE[1]:
                    return
                claim_at = time.monotonic() + pause
                if claim.follow_ups:
                    window.add(claim)
                    yield claim.more
                    continue
                elif claim.more:
                    claim_at = time.monotonic() + min(pause, LINE_PAUSE[1])
                    metrics.LINE_WAIT_SECONDS.labels("line").inc(min(pause, LINE_PAUSE[1]))
            if claim_at < math.inf or not window.is_idle:
                window.work(until=min(claim_at, ends_at) if window.has_room else ends_at)


def _pause_after(claim: lifecycle.Claim) -> float:
    """Return how long to wait before the next claim: for ever where nothing else is due."""
    if claim.free_in is not None:
        return max(LINE_PAUSE[0], claim.free_in)
    if not claim.more:
        return math.inf
    return 0.0 if len(claim.follow_ups) >= settings.FOLLOWUPS_BATCH_SIZE else CLAIM_EVERY


class Window:
    """The calls that this worker has in flight, what waits to follow them, and what is not written down yet.

    All of the database's part is done by the thread that made it; the calls run in the burst's.
    """

    def __init__(self) -> None:
        self._size = settings.FOLLOWUPS_CONCURRENCY
        self._burst: Burst | None = None
        self._waiting: list[Job] = []
        self._in_flight: dict[str, tuple[FollowUp, FollowUpAttempt]] = {}
        self._unsettled: list[Call] = []
        self._settle_at = math.inf

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self._hand_back(self._waiting)
        finally:
            self._finish()

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._in_flight or self._unsettled)

    @property
    def has_room(self) -> bool:
        return len(self._waiting) < GROUP

    def add(self, claim: lifecycle.Claim) -> None:
        """Take the claimed rows in; those that must not or cannot be sent now are settled without a call."""
        busy = {follow_up.conversation_id for follow_up in self._held()}
        self._waiting += prepare(claim, busy=busy, now=database_now())
        self._waiting.sort(key=lambda job: job.at)

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
        horizon = time.monotonic() + LEAD
        ready = sum(job.at <= horizon for job in self._waiting)
        free = self._size - len(self._in_flight)
        if ready and free >= min(ready, GROUP, self._size):
            jobs, self._waiting = self._waiting[:free][:ready], self._waiting[min(ready, free) :]
            for _token, group in groupby(jobs, key=lambda job: job.token):
                self._begin(list(group))
        elif ready:
            return math.inf  # as soon as enough calls have ended
        return self._waiting[0].at - LEAD if self._waiting else math.inf

    def _begin(self, jobs: list[Job]) -> None:
        follow_ups = [job.follow_up for job in jobs]
        # Committed before the calls: what is in doubt after a crash is never more than what was in flight.
        attempts = lifecycle.request(follow_ups, token=jobs[0].token, now=database_now())
        outgoing = []
        for job in jobs:
            attempt = attempts.get(job.follow_up.pk)
            if attempt is None:
                continue
            reference = f"attempt:{attempt.pk}"
            self._in_flight[reference] = (job.follow_up, attempt)
            recipient = job.follow_up.conversation.contact.recipient
            outgoing.append(Outgoing(job.client, recipient, job.payload, reference, job.at))
        if self._burst is None:
            self._burst = Burst()
        self._burst.begin(outgoing)

    def _collect(self, *, timeout: float) -> None:
        if self._burst is None or not self._in_flight:
            stopping.wait(max(timeout, 0) if timeout < math.inf else 0)
            return
        for outcome in self._burst.ended(timeout=min(timeout, SETTLE_EVERY)):
            follow_up, attempt = self._in_flight.pop(outcome.reference)
            metrics.CALL_SECONDS.observe(outcome.seconds)
            self._unsettled.append(Call(follow_up, attempt, outcome.result))
            # What an answer says of its channel is heeded before the next call on it.
            patience = 0 if settlement.concerns_channel(outcome.result) else SETTLE_EVERY
            self._settle_at = min(self._settle_at, time.monotonic() + patience)

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
        self._waiting = []
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

    def _held(self) -> Iterator[FollowUp]:
        yield from (job.follow_up for job in self._waiting)
        yield from (follow_up for follow_up, _attempt in self._in_flight.values())
        yield from (call.follow_up for call in self._unsettled)

    def _hand_back(self, jobs: list[Job]) -> None:
        try:
            for token, group in groupby(jobs, key=lambda job: job.token):
                lifecycle.hand_back([job.follow_up for job in group], token=token)
        except DatabaseError:
            # Their leases bring them back.
            logger.exception("follow_ups_not_handed_back", count=len(jobs))
