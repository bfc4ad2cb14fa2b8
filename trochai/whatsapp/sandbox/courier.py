"""Posts webhooks to the app: signed, after a delay, and again if the app does not answer with 200."""

from __future__ import annotations

import heapq
import http.client
import itertools
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.callbacks import envelope, signature

logger = logging.getLogger(__name__)

# Seconds between tries. Meta keeps trying for 7 days; an app that is restarting is back sooner.
RETRIES = (1, 2, 5, 10, 30, 60)
MAX_CHANGES = 100


@dataclass(order=True)
class _Parcel:
    due: float
    number: int
    account: Account = field(compare=False)
    value: dict[str, Any] = field(compare=False)
    tries: int = field(default=0, compare=False)


class Courier:
    """One thread: what is due for one account goes out in one POST, in the order it was queued."""

    def __init__(self) -> None:
        self._queue: list[_Parcel] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def post(self, account: Account, value: dict[str, Any], *, delay: float = 0) -> None:
        """Queue one change; ``delay`` is in seconds."""
        if not account.webhook_url:
            return
        with self._changed:
            parcel = _Parcel(time.monotonic() + delay, next(self._numbers), account, value)
            heapq.heappush(self._queue, parcel)
            self._changed.notify_all()

    def post_now(self, account: Account, value: dict[str, Any]) -> None:
        """Post one change and wait for the app's answer; queue it if the app is not there."""
        if account.webhook_url and not deliver(account, [value]):
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
            if not deliver(batch[0].account, [parcel.value for parcel in batch]):
                self._again(batch)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

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
            if self._queue[0].account.phone_number_id != batch[0].account.phone_number_id:
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
    target = urlsplit(account.webhook_url)
    body = envelope(account, values)
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
        return False
    finally:
        connection.close()
    if status != 200:
        logger.warning("webhook answered with %d", status)
    return status == 200
