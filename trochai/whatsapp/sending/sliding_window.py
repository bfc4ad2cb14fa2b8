"""The calls that a worker has in flight, what waits to follow them, and what is not written down yet.

The database row is the queue. No transaction is open during a call, and every step may be the last one of
this process: before ``Work.mark`` a row comes back by its lease, after it the row is never called again but
waits for the webhook, or for a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import math
import threading
import time
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, groupby
from typing import Generic

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection, connections

from trochai import changes, metrics
from trochai.changes import Kind
from trochai.clock import database_now
from trochai.whatsapp import rate, verdicts
from trochai.whatsapp.cloud_api.client import Accepted
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Cause
from trochai.whatsapp.cloud_api.transport import AsyncTransport
from trochai.whatsapp.sending import settlement
from trochai.whatsapp.sending.preparation import prepare
from trochai.whatsapp.sending.work import AttemptT, Call, Claim, Job, Marked, Row, RowT, Work

logger = structlog.get_logger(__name__)

# All in seconds by the monotonic clock, but for GROUP.
#
# How often a line that gives only a few slots at a time is asked for more: well within rate.LOOKAHEAD.
CLAIM_EVERY = 0.1
# How long to wait for a line on which nothing may be sent right now: at least, and at most. One that is
# held back for longer is left to a later run, as it would keep a worker idle.
LINE_PAUSE = (0.05, 6.0)
# Where that many wait, rows are marked as requested, and outcomes written, in groups of at least GROUP; an
# outcome waits at most SETTLE_EVERY. When one row's moment is only LEAD ahead, all whose moments come within
# LEAD_OF_ALL are marked with it.
GROUP = 50
SETTLE_EVERY = 0.1
LEAD = 0.04
LEAD_OF_ALL = 0.1
# How often is looked whether there is news from other threads.
LOOK_UP_EVERY = 0.25
# How far ahead new slots are looked for, for rows that missed theirs; rows that get none are handed back.
NEW_SLOTS = dt.timedelta(seconds=0.5)
# New ones leave time for the mark, or its rows would miss them again.
TO_MARK = dt.timedelta(seconds=LEAD)
# How long outcomes are kept while the database cannot be reached, and how often it is tried.
SETTLE_PATIENCE = 60.0
SETTLE_AGAIN = 1.0


class SlidingWindow(Generic[RowT, AttemptT]):
    """One run, as three loops: claim, mark and call, settle. A bounded number of calls is in flight.

    The loops and calls are coroutines of one event loop. What a loop does in the database is one step, in the
    thread that has begun the run, one after the other; calls, and the other loops, go on meanwhile. Outcomes
    are written in a second thread, over a connection of its own, while rows are claimed and marked.
    """

    def __init__(
        self,
        work: Work[RowT, AttemptT],
        claimed: Callable[[bool], None],
        *,
        asked: threading.Event,
        stopping: threading.Event,
    ) -> None:
        self._work = work
        self._claimed = claimed
        self._asked = asked
        self._stopping = stopping
        self._size = work.at_once
        # In order of their moments.
        self._waiting: list[Job[RowT]] = []
        self._being_marked: list[Job[RowT]] = []
        self._in_flight: dict[str, Marked[RowT, AttemptT]] = {}
        # Marked in time, but their moments had passed before they could leave: no call was made.
        self._missed: list[Marked[RowT, AttemptT]] = []
        self._unsettled: list[Call[RowT, AttemptT]] = []
        self._being_settled: list[Call[RowT, AttemptT]] = []
        # A database without row locks has one writer at a time, and nobody else sees what is not committed.
        writes_beside = connection.features.has_select_for_update and not connection.in_atomic_block
        self._beside = ThreadPoolExecutor(1, "settling") if writes_beside else None
        # When the first of them has waited for long enough; and not before the database may be back.
        self._settle_at = math.inf
        self._settle_not_before = 0.0
        self._no_more_claims = False
        self._failure: Exception | None = None
        self._more = False
        # For the steps in the database alone: in which order rows were claimed, and up to which claim those
        # of a channel are held up, as an answer says something of it.
        self._claims: dict[uuid.UUID, int] = {}
        self._held_up: dict[int, int] = {}

    async def send(self, seconds: float) -> bool:
        """Send until nothing is due, or for so long; return whether more was waiting at the end.

        Calls that are under way then are waited for.
        """
        self._may_claim, self._may_mark, self._may_settle = (asyncio.Event() for _loop in range(3))
        self._calls: set[asyncio.Task[None]] = set()
        # Before anything is claimed: where no call can be made, this fails.
        self._transport = AsyncTransport(
            connect_timeout=settings.WHATSAPP_CONNECT_TIMEOUT, read_timeout=settings.WHATSAPP_READ_TIMEOUT
        )
        loops = [asyncio.create_task(self._mark_and_call()), asyncio.create_task(self._settle())]
        try:
            await self._claim(time.monotonic() + seconds, beside=loops)
        finally:
            self._no_more_claims = True
            await self._hand_back_waiting()
            await asyncio.wait(loops)
            # The database was away, perhaps only for a moment.
            await self._hand_back_waiting()
            await self._transport.close()
            if self._beside is not None:
                close = sync_to_async(connections.close_all, thread_sensitive=False, executor=self._beside)
                await close()
                self._beside.shutdown()
        for loop in loops:
            loop.result()
        if self._failure:
            raise self._failure
        return self._more

    @property
    def _goes_on(self) -> bool:
        """Whether calls are under way or may still begin: what is marked is called and settled anyway."""
        return not self._no_more_claims or bool(self._being_marked or self._in_flight)

    @property
    def _is_idle(self) -> bool:
        return not any(True for _row in self._held())

    def _held(self) -> Iterator[RowT]:
        yield from (job.row for job in chain(self._waiting, self._being_marked))
        yield from (marked.job.row for marked in self._in_flight.values())
        yield from (call.row for call in chain(self._being_settled, self._unsettled))

    # Claim --------------------------------------------------------------------------------------------

    async def _claim(self, ends_at: float, *, beside: Sequence[asyncio.Task[None]]) -> None:
        """Claim rows only just before they are sent, so that a backlog stays pending and can be canceled."""
        claim_at = 0.0
        while (now := time.monotonic()) < ends_at and not self._stopping.is_set():
            if self._failure or any(loop.done() for loop in beside):
                return
            if self._asked.is_set() or (claim_at == math.inf and self._is_idle):
                # There is news, or what held rows back may have left with the last calls.
                self._asked.clear()
                claim_at = 0.0
            has_room = len(self._waiting) < GROUP
            if has_room and now >= claim_at:
                claim = await self._claim_once()
                pause = _pause_after(claim)
                if not claim.rows and self._is_idle and pause > LINE_PAUSE[1]:
                    return
                claim_at = time.monotonic() + pause
                if claim.rows and self._is_idle:
                    # None of them needed a call, and their slots are free again.
                    claim_at = 0.0
                elif claim.more and not claim.rows:
                    claim_at = time.monotonic() + min(pause, LINE_PAUSE[1])
            else:
                look_up_at = min(ends_at, now + LOOK_UP_EVERY)
                await _wait(self._may_claim, until=min(claim_at, look_up_at) if has_room else look_up_at)

    async def _claim_once(self) -> Claim[RowT]:
        busy = {row.conversation_id for row in self._held()}
        claim, jobs = await sync_to_async(self._claim_and_prepare)(busy)
        try:
            if claim.rows:
                self._more = claim.more
                await sync_to_async(self._claimed)(claim.more)
        finally:
            self._add(jobs)
        return claim

    def _claim_and_prepare(self, busy: set[int]) -> tuple[Claim[RowT], list[Job[RowT]]]:
        claim = self._work.claim(now=database_now())
        if not claim.rows:
            return claim, []
        self._claims[claim.token] = len(self._claims) + 1
        # Those that must not or cannot be sent now are settled without a call.
        jobs = prepare(self._work, claim, busy=busy, now=database_now())
        _tell(claim.rows)
        now = time.monotonic()
        metrics.LINE_WAIT_SECONDS.labels("line").inc(sum(max(0.0, job.at - now) for job in jobs))
        return claim, jobs

    # Mark and call ------------------------------------------------------------------------------------

    async def _mark_and_call(self) -> None:
        """Mark the rows whose moments have nearly come, and begin their calls."""
        while self._goes_on:
            if self._missed:
                await self._call_again()
                continue
            count, look_again_at = self._ready()
            if count:
                await self._mark(count)
            else:
                await _wait(self._may_mark, until=look_again_at)

    def _ready(self) -> tuple[int, float]:
        """Return how many of the waiting may be marked now, and if none, when that may change by itself."""
        now = time.monotonic()
        if self._failure or self._no_more_claims or not self._waiting:
            return 0, math.inf
        if self._waiting[0].at > now + LEAD:
            return 0, self._waiting[0].at - LEAD
        if len(self._unsettled) + len(self._being_settled) >= self._size:
            # A crash would leave all of them in doubt.
            return 0, math.inf
        ready = bisect_right(self._waiting, now + LEAD_OF_ALL, key=lambda job: job.at)
        free = self._size - len(self._in_flight)
        # If too few are free, as soon as enough calls have ended.
        return min(ready, free) if free >= min(ready, GROUP, self._size) else 0, math.inf

    async def _mark(self, count: int) -> None:
        self._being_marked, self._waiting = self._waiting[:count], self._waiting[count:]
        self._may_claim.set()
        try:
            renewed, marked = await sync_to_async(self._mark_in_database)(self._being_marked)
            self._add(renewed)
            self._begin(marked)
        except Exception as error:
            self._failure = error
        self._being_marked = []
        self._may_settle.set()

    def _mark_in_database(
        self, jobs: list[Job[RowT]]
    ) -> tuple[list[Job[RowT]], list[Marked[RowT, AttemptT]]]:
        """Mark the rows, those that are late with new moments.

        Return those that have to wait for theirs again, and what is marked.
        """
        held_up, now = [job for job in jobs if self._is_held_up(job)], time.monotonic()
        wanted = [job for job in jobs if not self._is_held_up(job)]
        renewed, left = _reserve_again([job for job in wanted if job.at < now])
        self._hand_back([*held_up, *left])
        soon = [job for job in renewed if job.at <= now + LEAD_OF_ALL]
        of_token: dict[uuid.UUID, list[Job[RowT]]] = defaultdict(list)
        for job in chain((job for job in wanted if job.at >= now), soon):
            of_token[job.token].append(job)
        marked: list[Marked[RowT, AttemptT]] = []
        for group in of_token.values():
            # Committed before the calls. In doubt after a crash are, besides those in flight, the calls of
            # the next LEAD_OF_ALL that were marked with these, and the answers of the last SETTLE_EVERY.
            try:
                marked += self._work.mark(group, now=database_now())
            except Exception as error:
                # Their leases bring them back. The calls of those marked before are made all the same.
                self._failure = error
                break
        _tell(job.row for job in jobs)
        return [job for job in renewed if job.at > now + LEAD_OF_ALL], marked

    def _is_held_up(self, job: Job[RowT]) -> bool:
        return self._claims[job.token] <= self._held_up.get(job.row.channel_id, 0)

    def _begin(self, marked: Iterable[Marked[RowT, AttemptT]]) -> None:
        for each in marked:
            self._in_flight[each.reference] = each
            call = asyncio.create_task(self._call(each))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, marked: Marked[RowT, AttemptT]) -> None:
        job = marked.job
        await asyncio.sleep(job.at - time.monotonic())
        began = time.monotonic()
        if began - job.at > rate.TOLERANCE.total_seconds():
            # Messages that were held up must not all leave at once.
            self._missed.append(marked)
            self._may_mark.set()
            return
        result: Accepted | WhatsAppError
        try:
            result = await job.client.send(
                recipient=job.recipient,
                content=job.content,
                reference=marked.reference,
                transport=self._transport,
            )
        except WhatsAppError as error:
            result = error
        except Exception:
            # The request may have left before whatever broke: it must not be repeated.
            logger.exception("call_broke", reference=marked.reference)
            result = OutcomeUnknown(cause=Cause.BROKE_OFF)
        metrics.CALL_SECONDS.observe(time.monotonic() - began)
        self._ended(marked, result)

    def _ended(self, marked: Marked[RowT, AttemptT], result: Accepted | WhatsAppError) -> None:
        del self._in_flight[marked.reference]
        self._unsettled.append(marked.ended(result))
        # What an answer says of its channel is heeded before the next call on it.
        patience = 0 if verdicts.concerns_channel(result) else SETTLE_EVERY
        self._settle_at = min(self._settle_at, time.monotonic() + patience)
        self._may_settle.set()
        self._may_mark.set()

    async def _call_again(self) -> None:
        """Give new moments to those that were marked in time but did not leave in time."""
        missed, self._missed = self._missed, []
        renewed = await sync_to_async(self._mark_again)(missed)
        # Until here they are under way: the run must not end without them.
        for each in missed:
            del self._in_flight[each.reference]
        self._begin(renewed)
        self._may_settle.set()

    def _mark_again(self, missed: list[Marked[RowT, AttemptT]]) -> list[Marked[RowT, AttemptT]]:
        try:
            held = self._work.mark_again(missed, now=database_now())
            by_row = {marked.job.row.pk: marked for marked in held}
            renewed, left = _reserve_again([marked.job for marked in held])
            if left:
                self._work.withdraw([by_row[job.row.pk] for job in left])
            return [replace(by_row[job.row.pk], job=job) for job in renewed]
        except DatabaseError:
            # What is not under way again becomes "delivery unknown", and a person decides.
            logger.exception("rows_not_called_again", what=self._work.name, count=len(missed))
            return []

    # Settle -------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Write down how calls ended, in groups; patiently if the database is away."""
        give_up_at = math.inf
        while self._goes_on or self._unsettled:
            now = time.monotonic()
            if not self._goes_on:
                give_up_at = min(give_up_at, now + SETTLE_PATIENCE)
            if now >= give_up_at:
                for call in self._unsettled:
                    logger.error("row_not_settled", **self._work.ids(call.row, call.attempt))
                return
            if self._next_settlement() <= now:
                await self._settle_once()
            else:
                await _wait(self._may_settle, until=self._next_settlement())

    def _next_settlement(self) -> float:
        if not self._unsettled:
            return math.inf
        enough = len(self._unsettled) >= GROUP or not (self._in_flight or self._waiting)
        return max(self._settle_not_before, 0.0 if enough else self._settle_at)

    async def _settle_once(self) -> None:
        self._being_settled, self._unsettled = self._unsettled, []
        self._settle_at = math.inf
        # What says something of its channel is heeded before anything else is marked.
        concerns = any(verdicts.concerns_channel(call.result) for call in self._being_settled)
        beside = None if concerns else self._beside
        step = sync_to_async(self._settle_in_database, thread_sensitive=beside is None, executor=beside)
        left = await step(self._being_settled)
        self._being_settled, self._unsettled = [], left + self._unsettled
        if left:
            self._settle_at = self._settle_not_before = time.monotonic() + SETTLE_AGAIN
        self._may_claim.set()
        self._may_mark.set()

    def _settle_in_database(self, calls: list[Call[RowT, AttemptT]]) -> list[Call[RowT, AttemptT]]:
        """Return what is to be settled again."""
        left = settlement.settle(self._work, calls)
        _tell(call.row for call in calls)
        for channel_id in settlement.tell_channels(calls):
            self._held_up[channel_id] = len(self._claims)
        return left

    # What does not go on ------------------------------------------------------------------------------

    async def _hand_back_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not await sync_to_async(self._hand_back)(waiting):
            self._waiting += waiting
        self._may_mark.set()
        self._may_settle.set()

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

    def _add(self, jobs: Sequence[Job[RowT]]) -> None:
        if jobs:
            self._waiting = sorted([*self._waiting, *jobs], key=lambda job: job.at)
            self._may_mark.set()


async def _wait(event: asyncio.Event, *, until: float) -> None:
    """Wait for the event, or until that moment."""
    seconds = None if until == math.inf else max(0.0, until - time.monotonic())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()


def _pause_after(claim: Claim[RowT]) -> float:
    """Return how long to wait before the next claim: for ever where nothing else is due."""
    if claim.free_in is not None:
        return max(LINE_PAUSE[0], claim.free_in)
    if not claim.more:
        return math.inf
    return 0.0 if claim.full else CLAIM_EVERY


def _tell(rows: Iterable[Row]) -> None:
    changes.changed({row.channel.organization_id for row in rows}, [Kind.CONVERSATIONS, Kind.FOLLOW_UPS])


def _reserve_again(jobs: list[Job[RowT]]) -> tuple[list[Job[RowT]], list[Job[RowT]]]:
    """Return the jobs that got new moments, and those whose lines have none soon.

    This worker held them up: without new moments they would all leave at once.
    """
    renewed, left = [], []
    jobs = sorted(jobs, key=lambda job: job.row.channel_id)
    for _channel_id, group in groupby(jobs, key=lambda job: job.row.channel_id):
        late = list(group)
        slots = rate.reserve(late[0].row.channel, len(late), ahead=NEW_SLOTS, lead=TO_MARK)
        renewed += [replace(job, at=at) for job, at in zip(late, slots.times(), strict=False)]
        left += late[slots.count :]
    return renewed, left
