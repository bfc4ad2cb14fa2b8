"""The calls that a worker has in flight, what waits to follow them, and what is not written down yet."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Generic, Self

import structlog
from django.db import DatabaseError, connection

from trochai import changes, metrics
from trochai.clock import database_now
from trochai.whatsapp import rate, verdicts
from trochai.whatsapp.cloud_api.burst import Burst, Outgoing
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown
from trochai.whatsapp.cloud_api.failures import Cause
from trochai.whatsapp.sending import settlement
from trochai.whatsapp.sending.preparation import prepare
from trochai.whatsapp.sending.work import AttemptT, Call, Claim, Job, Marked, Row, RowT, Work

logger = structlog.get_logger(__name__)

# All in seconds by the monotonic clock, but for GROUP.
#
# Where that many wait, rows are marked as requested, and outcomes written, in groups of at least GROUP; an
# outcome waits at most SETTLE_EVERY. When one row's moment is only LEAD ahead, all whose moments come within
# LEAD_OF_ALL are marked with it.
GROUP = 50
SETTLE_EVERY = 0.1
LEAD = 0.04
LEAD_OF_ALL = 0.1
# The longest that ``work`` waits: in between its caller looks whether there is news.
LOOK_UP_EVERY = 0.25
# How far ahead new slots are looked for, for rows that missed theirs; rows that get none are handed back.
NEW_SLOTS = dt.timedelta(seconds=0.5)
# How long outcomes are kept while the database cannot be reached, and how often it is tried.
SETTLE_PATIENCE = 60.0
SETTLE_AGAIN = 1.0


class SlidingWindow(Generic[RowT, AttemptT]):
    """The calls that this worker has in flight, what waits to follow them, and what is not written down yet.

    The thread that made it does all the database work; the calls run in the burst's thread.
    """

    def __init__(self, work: Work[RowT, AttemptT]) -> None:
        self._work = work
        self._size = work.at_once
        self._burst: Burst | None = None
        self._waiting: list[Job[RowT]] = []
        self._in_flight: dict[str, Marked[RowT, AttemptT]] = {}
        self._unsettled: list[Call[RowT, AttemptT]] = []
        self._settle_at = math.inf

    def __enter__(self) -> Self:
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

    def add(self, claim: Claim[RowT]) -> None:
        """Take in the claimed rows; those that must not or cannot be sent now are settled without a call."""
        busy = {row.conversation_id for row in self._held()}
        jobs = prepare(self._work, claim, busy=busy, now=database_now())
        _tell(claim.rows)
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

    def _in_time(self, jobs: list[Job[RowT]]) -> list[Job[RowT]]:
        """Return the jobs whose moments have not passed; the others wait again, for new ones."""
        too_late = time.monotonic() - rate.TOLERANCE.total_seconds()
        late = [job for job in jobs if job.at < too_late]
        renewed, left = _reserve_again(late)
        self._waiting += renewed
        self._waiting.sort(key=lambda job: job.at)
        self._hand_back(left)
        return [job for job in jobs if job.at >= too_late]

    def _mark(self, jobs: list[Job[RowT]]) -> None:
        """Mark the rows, and begin their calls."""
        # Committed before the calls. In doubt after a crash are, besides those in flight, the calls of the
        # next LEAD_OF_ALL that were marked with these, and the answers of the last SETTLE_EVERY.
        self._call(self._work.mark(jobs, now=database_now()))
        _tell(job.row for job in jobs)

    def _call(self, marked: list[Marked[RowT, AttemptT]]) -> None:
        outgoing = [
            Outgoing(each.job.client, each.job.recipient, each.job.content, each.reference, each.job.at)
            for each in marked
        ]
        self._opened().begin(outgoing)
        self._in_flight |= {each.reference: each for each in marked}

    def _collect(self, *, timeout: float) -> None:
        if self._burst is None or not self._in_flight:
            time.sleep(max(0.0, min(timeout, LOOK_UP_EVERY)) if timeout < math.inf else 0.0)
            return
        missed = []
        finished = self._burst.ended(timeout=min(timeout, LOOK_UP_EVERY))
        if not finished and not self._burst.is_alive:
            self._give_up_calls()
        for call in finished:
            marked = self._in_flight.pop(call.reference)
            if call.result is None:
                missed.append(marked)
                continue
            metrics.CALL_SECONDS.observe(call.seconds)
            self._unsettled.append(marked.ended(call.result))
            # What an answer says of its channel is heeded before the next call on it.
            patience = 0 if verdicts.concerns_channel(call.result) else SETTLE_EVERY
            self._settle_at = min(self._settle_at, time.monotonic() + patience)
        if missed:
            self._call_again(missed)

    def _give_up_calls(self) -> None:
        """Nobody will ever say how the calls under way ended."""
        unknown = OutcomeUnknown(cause=Cause.BROKE_OFF)
        self._unsettled += [marked.ended(unknown) for marked in self._in_flight.values()]
        self._in_flight.clear()
        self._burst = None
        self._settle_at = 0.0

    def _call_again(self, missed: list[Marked[RowT, AttemptT]]) -> None:
        """Give new moments to those that were marked in time but did not leave in time."""
        try:
            held = self._work.mark_again(missed, now=database_now())
            by_row = {marked.job.row.pk: marked for marked in held}
            renewed, left = _reserve_again([marked.job for marked in held])
            self._call([replace(by_row[job.row.pk], job=job) for job in renewed])
            if left:
                self._work.withdraw([by_row[job.row.pk] for job in left])
        except DatabaseError:
            # What is not under way again becomes "delivery unknown", and a person decides.
            logger.exception("rows_not_called_again", what=self._work.name, count=len(missed))

    def _settle(self) -> None:
        calls = self._unsettled
        self._unsettled = settlement.settle(self._work, calls)
        self._settle_at = time.monotonic() + SETTLE_AGAIN if self._unsettled else math.inf
        _tell(call.row for call in calls)
        halted = settlement.tell_channels(calls)
        held_up = [job for job in self._waiting if job.row.channel_id in halted]
        if held_up:
            self._waiting = [job for job in self._waiting if job.row.channel_id not in halted]
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
            logger.error("row_not_settled", **self._work.ids(call.row, call.attempt))

    def _opened(self) -> Burst:
        if self._burst is None:
            self._burst = Burst()
        return self._burst

    def _held(self) -> Iterator[RowT]:
        yield from (job.row for job in self._waiting)
        yield from (marked.job.row for marked in self._in_flight.values())
        yield from (call.row for call in self._unsettled)

    def _hand_back(self, jobs: list[Job[RowT]]) -> bool:
        """Return whether it is done; if not, the rows' leases bring them back."""
        try:
            for token, group in groupby(jobs, key=lambda job: job.token):
                self._work.hand_back([job.row for job in group], token=token)
        except DatabaseError:
            logger.exception("rows_not_handed_back", what=self._work.name, count=len(jobs))
            connection.close_if_unusable_or_obsolete()
            return False
        return True


def _tell(rows: Iterable[Row]) -> None:
    changes.changed({row.channel.organization_id for row in rows})


def _reserve_again(jobs: list[Job[RowT]]) -> tuple[list[Job[RowT]], list[Job[RowT]]]:
    """Return the jobs that got new moments, and those whose lines have none soon.

    This worker held them up: without new moments they would all leave at once.
    """
    renewed, left = [], []
    jobs = sorted(jobs, key=lambda job: job.row.channel_id)
    for _channel_id, group in groupby(jobs, key=lambda job: job.row.channel_id):
        late = list(group)
        slots = rate.reserve(late[0].row.channel, len(late), ahead=NEW_SLOTS)
        renewed += [replace(job, at=at) for job, at in zip(late, slots.times(), strict=False)]
        left += late[slots.count :]
    return renewed, left
