"""A Cloud API that does what it is told, however bad, and forgets no call."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any

from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.callbacks import status
from trochai.whatsapp.sandbox.courier import deliver

LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Ending(Enum):
    WHOLE = "the whole answer"
    HALF = "half of it, then the connection is closed"
    CLOSED = "the connection is closed without a byte"
    SILENT = "nothing, and the connection stays open"


@dataclass(frozen=True)
class Answer:
    """How a call ends. ``is_accepted``: the contact gets the message, whatever the caller is told."""

    is_accepted: bool = True
    status: int = 200
    body: bytes | None = None  # None: what Meta answers when it accepts
    ending: Ending = Ending.WHOLE
    latency: float = 0.05  # seconds

    @property
    def is_refusal(self) -> bool:
        """Whether the caller can be sure that the contact gets nothing."""
        is_plain = self.status in {429, 503} or b'"code"' in (self.body or b"")
        return not self.is_accepted and self.ending is Ending.WHOLE and is_plain


def error(code: int, *, http_status: int = 400) -> Answer:
    """Return a refusal in Meta's own envelope."""
    body = {"error": {"message": f"(#{code}) refused", "type": "OAuthException", "code": code}}
    return Answer(is_accepted=False, status=http_status, body=json.dumps(body).encode())


ACCEPTED = Answer()
RATE_LIMITED = error(130429, http_status=429)
TOO_MANY_REQUESTS = Answer(is_accepted=False, status=429, body=b"")
UNAVAILABLE = Answer(is_accepted=False, status=503, body=b"<html>Service Unavailable</html>")
SOMETHING_WENT_WRONG = error(131000, http_status=500)
TOKEN_EXPIRED = error(190, http_status=401)
NOT_ON_WHATSAPP = error(131026)
# After these nobody can tell: some were accepted, some were not.
ERROR_PAGE = Answer(status=500, body=b"<html>Sorry, something went wrong.</html>")
ERROR_PAGE_UNSENT = Answer(is_accepted=False, status=500, body=b"<html>Sorry, something went wrong.</html>")
GARBAGE = Answer(body=b'\xff\x00{"messages": [')
EMPTY_OBJECT = Answer(is_accepted=False, body=b"{}")
HALF = Answer(ending=Ending.HALF)
HUNG_UP = Answer(ending=Ending.CLOSED)
HUNG_UP_UNSENT = Answer(is_accepted=False, ending=Ending.CLOSED)
SILENT = Answer(ending=Ending.SILENT)
SILENT_UNSENT = Answer(is_accepted=False, ending=Ending.SILENT)


@dataclass(frozen=True)
class Call:
    """A message request that arrived, written down before anything is answered."""

    at: float  # seconds of the monotonic clock
    phone_number_id: str
    recipient: str
    reference: str
    answer: Answer
    message_id: str


class Cloud:
    """Runs in a thread of the tests, on a free port; what it records survives whatever is killed.

    ``answers`` says for each phone number id how calls end (by default they are accepted), ``webhooks``
    which statuses follow: pairs of seconds after the call came in and a status. Posts that are not answered
    with 200 are repeated, as Meta does.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.open_calls = 0
        self.answers: dict[str, Answer] = {}
        self.webhooks: dict[str, list[tuple[float, str]]] = {}
        self.accounts: dict[str, Account] = {}
        self._undelivered = 0
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task] = set()
        self._posts = ThreadPoolExecutor(max_workers=8)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.port = 0
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_idle(self) -> bool:
        """Whether no call waits for its answer and no webhook for its delivery."""
        return not self.open_calls and not self._undelivered

    def forget(self) -> None:
        self.calls.clear()
        self.answers.clear()
        self.webhooks.clear()
        self.accounts.clear()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._posts.shutdown(cancel_futures=True)

    def post(self, call: Call, name: str, *, failure: int = 0) -> None:
        """Post one status of a call's message now, and wait until it is taken."""
        assert deliver(self.accounts[call.phone_number_id], [self._status(call, name, failure)])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if not await self._answer(head.split(b" ")[1].decode(), body, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller was killed, or is done
        finally:
            writer.close()

    async def _answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Record a call and end it as told; return whether the connection may be used again."""
        call = self._record(path, body)
        self.open_calls += 1
        try:
            await asyncio.sleep(call.answer.latency)
        finally:
            self.open_calls -= 1
        match call.answer.ending:
            case Ending.CLOSED:
                return False
            case Ending.SILENT:
                await asyncio.sleep(3600)
        content = _content(call)
        head = f"HTTP/1.1 {call.answer.status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        is_half = call.answer.ending is Ending.HALF
        writer.write(head + (content[: len(content) // 2] if is_half else content))
        await writer.drain()
        return not is_half

    def _record(self, path: str, body: bytes) -> Call:
        message = json.loads(body)
        phone_number_id = path.split("/")[-2]
        call = Call(
            at=time.monotonic(),
            phone_number_id=phone_number_id,
            recipient=message["to"],
            reference=message["biz_opaque_callback_data"],
            answer=self.answers.get(phone_number_id, ACCEPTED),
            message_id=f"wamid.{next(self._numbers)}",
        )
        self.calls.append(call)
        if call.answer.is_accepted:
            for seconds, name in self.webhooks.get(phone_number_id, ()):
                self._spawn(self._tell(call, name, seconds))
        return call

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._undelivered += 1
        task = self._loop.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, call: Call, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            while call.phone_number_id in self.accounts:
                values = [self._status(call, name)]
                if await self._loop.run_in_executor(
                    self._posts, deliver, self.accounts[call.phone_number_id], values
                ):
                    return
                await asyncio.sleep(0.5)
        finally:
            self._undelivered -= 1

    def _status(self, call: Call, name: str, failure: int = 0) -> dict[str, Any]:
        return status(
            message_id=call.message_id,
            name=name,
            recipient=call.recipient,
            reference=call.reference,
            at=time.time(),
            failure=failure,
        )


def _content(call: Call) -> bytes:
    if call.answer.body is not None:
        return call.answer.body
    contact = {"input": call.recipient, "wa_id": call.recipient.removeprefix("+")}
    messages = [{"id": call.message_id, "message_status": "accepted"}]
    return json.dumps({"messaging_product": "whatsapp", "contacts": [contact], "messages": messages}).encode()
