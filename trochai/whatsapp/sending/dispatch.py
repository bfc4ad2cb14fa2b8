"""Sends what is due, in one thread of this process at a time, until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic

from asgiref.sync import async_to_sync
from celery.signals import worker_shutting_down

from trochai import metrics
from trochai.whatsapp.sending.sliding_window import SlidingWindow
from trochai.whatsapp.sending.work import AttemptT, RowT, Work

# Set when this worker is told to stop: what is in flight is finished, the rest is handed back.
stopping = threading.Event()

# Seconds. Then a run makes room for its worker's other tasks; its caller begins another if more is due.
RUN_TIME = 50.0


@worker_shutting_down.connect
def finish_what_is_in_flight(**_signal: Any) -> None:
    """On SIGTERM: complete the calls that have begun, hand the claimed rest back at once."""
    stopping.set()


class Dispatcher(Generic[RowT, AttemptT]):
    """Sends one kind of rows."""

    def __init__(self, work: Work[RowT, AttemptT]) -> None:
        self._work = work
        self._sending = threading.Lock()
        self._asked = threading.Event()

    def is_sending(self) -> bool:
        """Return whether this process is already sending."""
        return self._sending.locked()

    def send_in_this_process(self, *, claimed: Callable[[bool], None] = lambda _more: None) -> bool:
        """Send until nothing is due, or for RUN_TIME; return whether more was waiting at the end.

        ``claimed`` hears the same after each claim. A second thread would only take turns with the first: it
        leaves the work to it. The first looks for what is due at once, also while it waits for a call that
        takes its time.
        """
        more = False
        self._asked.set()
        while self._asked.is_set() and not stopping.is_set():
            if not self._sending.acquire(blocking=False):
                return more
            try:
                with metrics.RUN_SECONDS.labels(self._work.name).time():
                    window = SlidingWindow(self._work, claimed, asked=self._asked, stopping=stopping)
                    more = async_to_sync(window.send)(RUN_TIME)
            finally:
                self._sending.release()
        return more
