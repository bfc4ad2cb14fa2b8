"""The streams by which open pages hear that something has changed: an ASGI application of its own.

An event carries no content, only kinds of change: the page then asks for what it shows, and is answered as
whoever asks. ``docs/decisions/0020-streams-for-open-pages.md`` says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.db import DatabaseError

from trochai import metrics
from trochai.live.feed import Feed
from trochai.live.readers import reader_of, session_key
from trochai.live.streams import Reader, Refused, Stream, Streams

logger = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Seconds. Proxies close what is silent for a minute; a page takes a stream for lost that is silent for 40.
HEARTBEAT = 15.0
# How long a stream lives: then the browser opens another, and is looked at again. Spread, so that those
# that a restart has made begin together do not end together.
LIFE = (240.0, 360.0)
# Between two events, what changes comes together. All who were told of the first are told of the next at the
# same moment: they ask for the same list, which is then drawn once (docs/decisions/0029).
PAUSE = 0.7
# Until a client that takes nothing is given up.
PATIENCE = 20.0
# Milliseconds until a browser comes back by itself, spread for the same reason.
COMES_BACK = (500, 3_000)
# And at the end of its stream's life.
AT_ONCE = 100
# Sessions looked up at a time.
THREADS = 2

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    # nginx, wherever it stands.
    (b"x-accel-buffering", b"no"),
]


class Live:
    """``/events`` for browsers, ``/healthz`` for whoever sees to it that this process runs."""

    def __init__(self) -> None:
        self.streams = Streams()
        self.feed = Feed(hear=self.streams.hear, lost=self.streams.end_all)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="readers")
        self._is_stopping = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        elif scope["path"] == "/healthz":
            await _answer(send, 200, "ok")
        elif scope["path"] != "/events":
            await _answer(send, 404, "not here")
        elif scope["method"] != "GET":
            await _answer(send, 405, "GET only", (b"allow", b"GET"))
        else:
            await self._events(scope, receive, send)

    def stop(self) -> None:
        """End all streams and open no other: their browsers come back to the next process."""
        self._is_stopping = True
        self.streams.end_all()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # startup
        metrics.serve()
        metrics.STREAMS.set_function(lambda: len(self.streams))
        listening = asyncio.create_task(self.feed.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()  # shutdown
        self.stop()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await send({"type": "lifespan.shutdown.complete"})

    async def _events(self, scope: Message, receive: Receive, send: Send) -> None:
        cookies = [value for name, value in scope["headers"] if name == b"cookie"]
        key = session_key(b"; ".join(cookies).decode("latin-1"))
        if not key:
            return await _answer(send, 401, "sign in first")
        # Without the feed a page would believe that nothing happens.
        if self._is_stopping or not self.feed.is_connected:
            return await _answer(send, 503, "not now")
        try:
            reader = await self._look_up(key)
        except DatabaseError as error:
            logger.warning("live_reader_not_known", error=type(error).__name__)
            return await _answer(send, 503, "not now")
        if reader is None:
            return await _answer(send, 401, "sign in first")
        try:
            stream = self.streams.open(reader)
        except Refused as refused:
            logger.warning("live_stream_refused", person=reader.person, streams=len(self.streams))
            return await _answer(send, 429 if refused.of_person else 503, "too many")
        leaving = asyncio.ensure_future(_left(receive, stream))
        try:
            if not self.feed.is_connected or self._is_stopping:
                stream.end()  # that was while the reader was looked up
            await _tell(stream, send)
        except TimeoutError:
            logger.info("live_stream_stuck", person=reader.person)
        finally:
            self.streams.close(stream)
            leaving.cancel()
        return None

    async def _look_up(self, key: str) -> Reader | None:
        """Return who that is, as of now: not as of before they signed out."""
        while True:
            before = self.streams.looked_again
            reader = await asyncio.get_running_loop().run_in_executor(self._threads, reader_of, key)
            if before == self.streams.looked_again:
                return reader


async def _tell(stream: Stream, send: Send) -> None:
    """Raises ``TimeoutError`` if the client takes nothing for ``PATIENCE``."""

    async def patiently(message: Message) -> None:
        async with asyncio.timeout(PATIENCE):
            await send(message)

    async def write(text: str, *, more: bool = True) -> None:
        await patiently({"type": "http.response.body", "body": text.encode(), "more_body": more})

    loop = asyncio.get_running_loop()
    ends = loop.time() + random.uniform(*LIFE)  # noqa: S311  (no secret)
    await patiently({"type": "http.response.start", "status": 200, "headers": HEADERS})
    # What has changed before it, the page asks for now.
    await write(f"retry: {random.randint(*COMES_BACK)}\nevent: hello\ndata:\n\n")  # noqa: S311
    while not stream.has_ended and (left := ends - loop.time()) > 0:
        kinds = await stream.news(min(HEARTBEAT, left))
        metrics.EVENTS.inc(bool(kinds))
        if not kinds:
            await write("event: beat\ndata:\n\n")
            continue
        await write(f"event: changed\nid: {stream.moment}\ndata: {' '.join(kinds)}\n\n")
        await asyncio.sleep(PAUSE)
    await write("" if stream.has_ended else f"retry: {AT_ONCE}\n\n", more=False)


async def _left(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _answer(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = text.encode()
    plain = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*plain, length, *headers]})
    await send({"type": "http.response.body", "body": body})
