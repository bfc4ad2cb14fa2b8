"""Telling workers that a webhook delivery is waiting, without making Meta wait for the broker.

Publishing to a broker that is down takes seconds (6 with Redis' own retries, more where its host does
not answer), and Meta wants its answer in a fraction of one. So a thread does it, and gives up quickly:
the row is the queue, and the sweep of every minute finds what nobody was told about.
"""

from __future__ import annotations

import queue
import threading
import time

import structlog

from trochai.whatsapp import tasks

logger = structlog.get_logger(__name__)

# Seconds to wait after a broker did not answer, before the next try.
PAUSE = 30.0


class Waker:
    """One daemon thread a process, started by the first delivery."""

    def __init__(self) -> None:
        self._deliveries: queue.Queue[int] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._silent_until = 0.0

    def wake(self, delivery_id: int) -> None:
        with self._lock:
            # A fork leaves the thread behind.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="webhook-waker", daemon=True)
                self._thread.start()
        self._deliveries.put(delivery_id)

    def wait_idle(self) -> None:
        """Wait until every delivery has been published or left to the sweep."""
        self._deliveries.join()

    def _run(self) -> None:
        while True:
            delivery_id = self._deliveries.get()
            try:
                if time.monotonic() >= self._silent_until:
                    tasks.process_webhook.apply_async([delivery_id], retry=False)
            except Exception:
                self._silent_until = time.monotonic() + PAUSE
                logger.exception("no broker: webhook deliveries wait for the minute's sweep")
            finally:
                self._deliveries.task_done()


waker = Waker()
