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

import structlog
from django.conf import settings

from followups import lifecycle
from followups.sending.sliding_window import SlidingWindow, stopping
from trochai import metrics
from trochai.clock import database_now

__all__ = ["is_sending", "send_due", "send_in_this_process", "stopping", "tidy_up"]

logger = structlog.get_logger(__name__)

_sending = threading.Lock()
_asked = threading.Event()

# All in seconds by the monotonic clock.
#
# How often a line that gives only a few slots at a time is asked for more: well within rate.LOOKAHEAD.
CLAIM_EVERY = 0.1
# How long to wait for a line on which nothing may be sent right now: at least, and at most. One that is
# held back for longer is left to a later tick, as it would keep a worker idle.
LINE_PAUSE = (0.05, 6.0)
# Then a run makes room for its worker's other tasks; its caller begins another if more is due.
RUN_TIME = 50.0


def tidy_up(now: dt.datetime) -> None:
    """Settle what stayed unknown past its time, and take back what vanished workers held."""
    unknown = lifecycle.give_up_on_unknown(now=now)
    released = lifecycle.release_expired(now=now)
    if unknown or released:
        logger.warning("follow_ups_recovered", unknown=unknown, leases_expired=released)


def is_sending() -> bool:
    """Return whether this process is already sending."""
    return _sending.locked()


def send_in_this_process() -> Iterator[bool]:
    """``send_due``, by one thread of this process at a time: a second one would only take turns with it.

    A thread that comes meanwhile leaves the work to the first, which then looks once more for what is due.
    """
    _asked.set()
    while _asked.is_set() and not stopping.is_set():
        if not _sending.acquire(blocking=False):
            return
        try:
            _asked.clear()
            yield from send_due()
        finally:
            _sending.release()


def send_due() -> Iterator[bool]:
    """Send until nothing is due, or for RUN_TIME, yielding after each claim whether more was waiting.

    A bounded number of calls is in flight at any time; as some end, others begin. A row is claimed only
    just before it is sent, so that a backlog stays pending and can be canceled.
    """
    ends_at = time.monotonic() + RUN_TIME
    claim_at = 0.0
    with metrics.RUN_SECONDS.time(), SlidingWindow() as window:
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
                    if window.is_idle:
                        # None of them needed a call, and their slots are free again.
                        claim_at = 0.0
                    yield claim.more
                    continue
                if claim.more:
                    claim_at = time.monotonic() + min(pause, LINE_PAUSE[1])
            if claim_at < math.inf or not window.is_idle:
                window.work(until=min(claim_at, ends_at) if window.has_room else ends_at)


def _pause_after(claim: lifecycle.Claim) -> float:
    """Return how long to wait before the next claim: for ever where nothing else is due."""
    if claim.free_in is not None:
        return max(LINE_PAUSE[0], claim.free_in)
    if not claim.more:
        return math.inf
    return 0.0 if claim.full else CLAIM_EVERY
