"""Sends what is due: claim a batch, check it again, call Meta, settle what came of it.

The database row is the queue. No transaction is open during a call, and every step may be the last one
of this process: before ``Work.mark`` a row comes back by its lease, after it the row is never called again
but waits for the webhook, or for a person.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Any, Generic

from celery.signals import worker_shutting_down

from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp.sending.sliding_window import SlidingWindow
from trochai.whatsapp.sending.work import AttemptT, Claim, RowT, Work

# Set when this worker is told to stop: what is in flight is finished, the rest is handed back.
stopping = threading.Event()

# All in seconds by the monotonic clock.
#
# How often a line that gives only a few slots at a time is asked for more: well within rate.LOOKAHEAD.
CLAIM_EVERY = 0.1
# How long to wait for a line on which nothing may be sent right now: at least, and at most. One that is
# held back for longer is left to a later run, as it would keep a worker idle.
LINE_PAUSE = (0.05, 6.0)
# Then a run makes room for its worker's other tasks; its caller begins another if more is due.
RUN_TIME = 50.0


@worker_shutting_down.connect
def finish_what_is_in_flight(**_signal: Any) -> None:
    """On SIGTERM: complete the calls that have begun, hand the claimed rest back at once."""
    stopping.set()


class Dispatcher(Generic[RowT, AttemptT]):
    """Sends one kind of rows, in one thread of this process at a time."""

    def __init__(self, work: Work[RowT, AttemptT]) -> None:
        self._work = work
        self._sending = threading.Lock()
        self._asked = threading.Event()

    def is_sending(self) -> bool:
        """Return whether this process is already sending."""
        return self._sending.locked()

    def send_in_this_process(self) -> Iterator[bool]:
        """Send until nothing is due, or for RUN_TIME, yielding after each claim whether more was waiting.

        A second thread would only take turns with the first: it leaves the work to it. The first looks for
        what is due at once, also while it waits for a call that takes its time.
        """
        self._asked.set()
        while self._asked.is_set() and not stopping.is_set():
            if not self._sending.acquire(blocking=False):
                return
            try:
                yield from self._send()
            finally:
                self._sending.release()

    def _send(self) -> Iterator[bool]:
        """A bounded number of calls is in flight at any time; as some end, others begin.

        A row is claimed only just before it is sent, so that a backlog stays pending and can be canceled.
        """
        ends_at = time.monotonic() + RUN_TIME
        claim_at = 0.0
        with metrics.RUN_SECONDS.labels(self._work.name).time(), SlidingWindow(self._work) as window:
            while not stopping.is_set() and time.monotonic() < ends_at:
                if self._asked.is_set() or (claim_at == math.inf and window.is_idle):
                    # There is news, or what held rows back may have left with the last calls.
                    self._asked.clear()
                    claim_at = 0.0
                if window.has_room and time.monotonic() >= claim_at:
                    claim = self._work.claim(now=database_now())
                    pause = _pause_after(claim)
                    if not claim.rows and window.is_idle and pause > LINE_PAUSE[1]:
                        return
                    claim_at = time.monotonic() + pause
                    if claim.rows:
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


def _pause_after(claim: Claim) -> float:
    """Return how long to wait before the next claim: for ever where nothing else is due."""
    if claim.free_in is not None:
        return max(LINE_PAUSE[0], claim.free_in)
    if not claim.more:
        return math.inf
    return 0.0 if claim.full else CLAIM_EVERY
