"""Telling workers that there is something to do, without making anybody wait for the broker.

Publishing to a broker that is down takes seconds (6 with Redis' own retries, more where its host does
not answer). Meta wants its answer to a webhook in a fraction of one, and so do people. So a thread does it,
and gives up quickly: the row is the queue, and a sweep every minute finds what nobody was told about.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import structlog

logger = structlog.get_logger(__name__)

# Seconds to wait after a broker did not answer, before the next try.
PAUSE = 30.0


class Waker:
    """One daemon thread a process, started by the first task.

    What is called for again within ``moment`` seconds is published once more after it, however often: a
    worker that is woken looks for all that there is to do.
    """

    def __init__(self, *, moment: float = 0) -> None:
        self._moment = moment
        self._waiting: queue.Queue[tuple[Any, tuple[Any, ...]]] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._silent_until = 0.0

    def wake(self, task: Any, *arguments: Any) -> None:
        """Have a Celery task published in a moment."""
        with self._lock:
            # A fork leaves the thread behind.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()
        self._waiting.put((task, arguments))

    def wait_idle(self) -> None:
        """Wait until everything has been published or left to the sweep."""
        self._waiting.join()

    def _run(self) -> None:
        while True:
            called_for = [self._waiting.get()]
            while not self._waiting.empty():
                called_for.append(self._waiting.get())
            # Each once, in their order.
            for task, arguments in dict.fromkeys(called_for):
                self._publish(task, arguments)
            for _each in called_for:
                self._waiting.task_done()
            time.sleep(self._moment)

    def _publish(self, task: Any, arguments: tuple[Any, ...]) -> None:
        try:
            if time.monotonic() >= self._silent_until:
                task.apply_async(arguments, retry=False)
        except Exception:
            self._silent_until = time.monotonic() + PAUSE
            logger.exception("no broker: what was to be done waits for the minute's sweep")


waker = Waker()
