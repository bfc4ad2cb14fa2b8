"""Posts webhooks to the app: signed, after a delay, and again if the app does not answer with 200."""

from __future__ import annotations

import heapq
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.callbacks import envelope, signature

logger = logging.getLogger(__name__)

# Seconds between tries. Meta keeps trying for 7 days; an app that is restarting is back sooner.
RETRIES = (1, 2, 5, 10, 30, 60)
MAX_CHANGES = 100
OK = 200


@dataclass(order=True)
class _Parcel:
    due: float
    number: int
    account: Account = field(compare=False)
    value: dict[str, Any] = field(compare=False)
    of: str = field(compare=False)
    if_so: Callable[[], bool] = field(compare=False)
    taken: Callable[[], object] = field(compare=False)
    tries: int = field(default=0, compare=False)


# What was posted for an account under a field, and the app's answer: 0 for none.
Watcher = Callable[[Account, str, list[dict[str, Any]], int], None]


class Courier:
    """One thread: what is due for one account goes out in one POST, in the order it was queued.

    ``watch`` is told of each POST.
    """

    def __init__(self, watch: Watcher | None = None) -> None:
        self._watch = watch
        self._queue: list[_Parcel] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def post(
        self,
        account: Account,
        value: dict[str, Any],
        *,
        delay: float = 0,
        of: str = "messages",
        if_so: Callable[[], bool] = lambda: True,
        taken: Callable[[], object] = lambda: None,
    ) -> None:
        """Queue one change of the field ``of``; ``delay`` is in seconds.

        When it is due it goes out only ``if_so``; once the app has answered with 200, ``taken`` is called.
        """
        with self._changed:
            due = time.monotonic() + delay
            parcel = _Parcel(due, next(self._numbers), account, value, of, if_so, taken)
            heapq.heappush(self._queue, parcel)
            self._changed.notify_all()

    def post_now(self, account: Account, value: dict[str, Any]) -> None:
        """Post one change and wait for the app's answer; queue it if the app is not there."""
        if account.webhook_url and not self._deliver(account, [value], "messages"):
            self.post(account, value, delay=RETRIES[0])

    def wait_idle(self, timeout: float) -> bool:
        """Wait until everything queued has been posted; ``timeout`` is in seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while batch := self._next_batch():
            batch = [parcel for parcel in batch if parcel.tries or parcel.if_so()]
            if batch and batch[0].account.webhook_url:
                self._take_to_the_app(batch)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _take_to_the_app(self, batch: list[_Parcel]) -> None:
        if not self._deliver(batch[0].account, [parcel.value for parcel in batch], batch[0].of):
            self._again(batch)
            return
        for parcel in batch:
            parcel.taken()

    def _deliver(self, account: Account, values: list[dict[str, Any]], of: str) -> bool:
        status = post(account, values, of)
        if self._watch:
            self._watch(account, of, values, status)
        return status == OK

    def _next_batch(self) -> list[_Parcel]:
        """Wait for parcels that are due; an empty list means that the courier stops."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                if self._queue and self._queue[0].due <= now:
                    self._busy = True
                    return self._take_due(now)
                self._changed.wait(self._queue[0].due - now if self._queue else None)
        return []

    def _take_due(self, now: float) -> list[_Parcel]:
        batch = [heapq.heappop(self._queue)]
        while self._queue and self._queue[0].due <= now and len(batch) < MAX_CHANGES:
            following = self._queue[0]
            if (following.account.phone_number_id, following.of) != (
                batch[0].account.phone_number_id,
                batch[0].of,
            ):
                break
            batch.append(heapq.heappop(self._queue))
        return batch

    def _again(self, batch: list[_Parcel]) -> None:
        with self._changed:
            for parcel in batch:
                if parcel.tries >= len(RETRIES):
                    logger.warning("webhook given up after %d tries", parcel.tries + 1)
                    continue
                parcel.due = time.monotonic() + RETRIES[parcel.tries]
                parcel.tries += 1
                heapq.heappush(self._queue, parcel)


def deliver(account: Account, values: list[dict[str, Any]]) -> bool:
    """POST one signed body; return whether the app answered with 200."""
    return post(account, values, "messages") == OK


def post(account: Account, values: list[dict[str, Any]], of: str) -> int:
    """POST one signed body with changes of a field; return the app's answer, 0 if there is none."""
    target = urlsplit(account.webhook_url)
    body = envelope(account, values, of)
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": signature(account.app_secret, body),
        "User-Agent": "facebookexternalua",
    }
    secure = target.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(target.hostname or "", target.port, timeout=10)
    try:
        connection.request("POST", target.path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        logger.info("webhook not taken: %s", type(error).__name__)
        return 0
    finally:
        connection.close()
    if status != OK:
        logger.warning("webhook answered with %d", status)
    return status
