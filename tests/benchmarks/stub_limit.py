"""How many calls per second the stub itself answers, to show that it is not what is measured.

``python -m tests.benchmarks.stub_limit`` loads it from this process over raw sockets: each connection
sends its next request as soon as the last one is answered. Once with the latency of the benchmarks, where
``connections / latency`` is possible at the most, and once without any, where the stub is the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from urllib.parse import urlsplit

from tests.benchmarks.processes import cpu, stub

BODY = (
    b'{"messaging_product":"whatsapp","recipient_type":"individual","to":"+50688881234","type":"template",'
    b'"biz_opaque_callback_data":"attempt:2f0e0f62-6f0d-4d43-9f0c-0d2a2b1f4d10","template":{"name":'
    b'"visit_reminder","language":{"code":"es"},"components":[{"type":"body","parameters":[{"type":"text",'
    b'"text":"Ana"},{"type":"text","text":"Casa EC-204"},{"type":"text","text":"28"}]}]}}'
)
REQUEST = (
    b"POST /v25.0/1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Caller(asyncio.Protocol):
    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.write(REQUEST)

    def data_received(self, _data: bytes) -> None:
        Caller.answered += 1
        self.transport.write(REQUEST)


async def load(*, port: int, connections: int, seconds: float) -> float:
    """Keep ``connections`` busy; return calls per second, after a second of warming up."""
    loop = asyncio.get_running_loop()
    for _connection in range(connections):
        await loop.create_connection(Caller, "127.0.0.1", port)
    await asyncio.sleep(1)
    begun, before = time.monotonic(), Caller.answered
    await asyncio.sleep(seconds)
    return (Caller.answered - before) / (time.monotonic() - begun)


def show(*, latency: float, connections: int, seconds: float) -> None:
    answered, own = Caller.answered, cpu(os.getpid())
    with stub(latency=latency) as (pid, url):
        port = urlsplit(url).port
        assert port is not None
        rate = asyncio.run(load(port=port, connections=connections, seconds=seconds))
        spent, calls = cpu(pid), Caller.answered - answered
    print(
        f"{1000 * latency:.0f} ms, {connections} connections: {rate:.0f} calls a second; CPU a call: "
        f"stub {1000 * spent / calls:.3f} ms, this load {1000 * (cpu(os.getpid()) - own) / calls:.3f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    # Fewer than the 1,024 open files that a process may commonly have.
    parser.add_argument("--connections", type=int, default=900)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    for latency in (0.15, 0):
        show(latency=latency, connections=options.connections, seconds=options.seconds)


if __name__ == "__main__":
    main()
