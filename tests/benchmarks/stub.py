"""A Cloud API that only takes time: it accepts every message after a fixed latency, and remembers them.

One asyncio process speaking just enough HTTP/1.1, so that it is not what a benchmark measures:
``python -m tests.benchmarks.stub_limit`` shows how many calls per second it answers.

``POST …/messages`` answers as Meta does, or with 130429 above ``--rate`` messages in any second;
``GET /accepted`` returns how many it has accepted, ``GET /calls`` everything it has seen, ``GET /calls/N``
only what came after the first N.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import re
import time
from typing import Any

REFERENCE = re.compile(rb'"biz_opaque_callback_data":\s*"([^"]*)"')
RECIPIENT = re.compile(rb'"to":\s*"([^"]*)"')
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Stub:
    """``calls`` has a row per message: seconds by the monotonic clock, recipient, reference, accepted."""

    def __init__(self, *, latency: float, rate: int) -> None:
        self.latency = latency
        self.rate = rate
        self.calls: list[tuple[float, str, str, bool]] = []
        self.accepted = 0
        self.recent: collections.deque[float] = collections.deque()
        self.connections = self.most_connections = 0

    def take(self, body: bytes) -> tuple[int, bytes]:
        """Accept one message, or refuse it for the rate; return status and answer."""
        now = time.monotonic()
        while self.recent and self.recent[0] <= now - 1:
            self.recent.popleft()
        accepted = not self.rate or len(self.recent) < self.rate
        self.calls.append((now, _first(RECIPIENT, body), _first(REFERENCE, body), accepted))
        if not accepted:
            return 400, b'{"error":{"message":"(#130429) Rate limit hit","code":130429}}'
        self.recent.append(now)
        self.accepted += 1
        return 200, b'{"messaging_product":"whatsapp","contacts":[],"messages":[{"id":"wamid.%d"}]}' % (
            self.accepted
        )

    def report(self, path: bytes) -> bytes:
        if path == b"/accepted":
            return b"%d" % self.accepted
        seen_before = int(path.removeprefix(b"/calls").lstrip(b"/") or 0)
        report: dict[str, Any] = {
            "calls": self.calls[seen_before:],
            "most_connections": self.most_connections,
        }
        return json.dumps(report).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection: requests one after the other, each answered after the latency."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.has_called = False

    def connection_lost(self, _error: Exception | None) -> None:
        self.stub.connections -= self.has_called

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = LENGTH.search(head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < total:
                return
            body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
            method, path, _rest = head.split(b" ", 2)
            if method == b"POST":
                self.count()
                self.loop.call_later(self.stub.latency, self.answer, *self.stub.take(body))
            else:
                self.answer(200, self.stub.report(path))

    def count(self) -> None:
        """Count the connections over which messages come."""
        if not self.has_called:
            self.has_called = True
            self.stub.connections += 1
            self.stub.most_connections = max(self.stub.most_connections, self.stub.connections)

    def answer(self, status: int, body: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, len(body), body)
            )


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return found[1].decode() if found else ""


async def serve(*, port: int, latency: float, rate: int) -> None:
    stub = Stub(latency=latency, rate=rate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stub), "127.0.0.1", port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.15, help="seconds")
    parser.add_argument("--rate", type=int, default=0, help="messages in any second; 0: no limit")
    options = parser.parse_args()
    asyncio.run(serve(port=options.port, latency=options.latency, rate=options.rate))


if __name__ == "__main__":
    main()
