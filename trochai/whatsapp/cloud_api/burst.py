"""Many messages on their way to Meta at once, while the caller does something else."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api.client import Accepted, WhatsAppClient
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Cause
from trochai.whatsapp.cloud_api.transport import AsyncTransport

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A message with its ``content`` (``payloads``).

    ``at`` is when it should leave, by this process's monotonic clock.
    """

    client: WhatsAppClient
    recipient: Mapping[str, str]
    content: Mapping[str, Any]
    reference: str
    at: float


@dataclass(frozen=True)
class FinishedCall:
    """How the call for ``reference`` ended, and how many seconds it took.

    ``result`` is None where its moment had passed before it could leave: no call was made.
    """

    reference: str
    result: Accepted | WhatsAppError | None
    seconds: float


class Burst:
    """Calls on an event loop in a thread of its own; everything else here is for the caller's thread.

    The caller limits how many calls are under way. ``close`` waits for those that are.
    Raises whatever keeps an event loop from starting, such as ``OSError`` where no file can be opened.
    """

    def __init__(self) -> None:
        self._ended: queue.SimpleQueue[FinishedCall] = queue.SimpleQueue()
        self._under_way: set[asyncio.Task[None]] = set()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="burst", daemon=True)
        self._thread.start()
        self._ready.result()

    def begin(self, messages: Iterable[Outgoing]) -> None:
        """Send each message when its time comes."""
        self._loop.call_soon_threadsafe(self._start, list(messages))

    def ended(self, *, timeout: float) -> list[FinishedCall]:
        """Return the calls that have ended since the last time; wait up to ``timeout`` seconds for one."""
        calls: list[FinishedCall] = []
        with contextlib.suppress(queue.Empty):
            calls.append(self._ended.get(timeout=max(timeout, 0)))
            while True:
                calls.append(self._ended.get_nowait())
        return calls

    @property
    def is_alive(self) -> bool:
        """Whether calls that are under way can still end."""
        return self._thread.is_alive()

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
                return
            logger.exception("burst_ended")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._transport = AsyncTransport(
            connect_timeout=settings.WHATSAPP_CONNECT_TIMEOUT, read_timeout=settings.WHATSAPP_READ_TIMEOUT
        )
        self._ready.set_result(None)
        try:
            await self._closing.wait()
            while self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            await self._transport.close()

    def _start(self, messages: list[Outgoing]) -> None:
        for message in messages:
            task = self._loop.create_task(self._send(message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, message: Outgoing) -> None:
        await asyncio.sleep(message.at - time.monotonic())
        began = time.monotonic()
        if began - message.at > rate.TOLERANCE.total_seconds():
            # Messages that were held up must not all leave at once.
            self._ended.put(FinishedCall(message.reference, None, 0.0))
            return
        result: Accepted | WhatsAppError
        try:
            result = await message.client.send(
                recipient=message.recipient,
                content=message.content,
                reference=message.reference,
                transport=self._transport,
            )
        except WhatsAppError as error:
            result = error
        except Exception:
            # The request may have left before whatever broke: it must not be repeated.
            logger.exception("call_broke", reference=message.reference)
            result = OutcomeUnknown(cause=Cause.BROKE_OFF)
        self._ended.put(FinishedCall(message.reference, result, time.monotonic() - began))
