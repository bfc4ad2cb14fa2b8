"""The sandbox as an HTTP server of the standard library: keep-alive, one thread per connection."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from trochai.whatsapp.sandbox.accounts import Account, Directory
from trochai.whatsapp.sandbox.api import Api, Call, Reply
from trochai.whatsapp.sandbox.courier import Courier
from trochai.whatsapp.sandbox.people import People, watcher
from trochai.whatsapp.sandbox.phones import Phones

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from trochai.whatsapp.sandbox.pages import Pages

# Meta takes files of up to 100 MB.
MAX_BODY = 101 * 1024 * 1024
# The pages are people's; everything else is the app's.
PAGES = ("/phones/", "/static/")
MAX_FORM = 64 * 1024


class Sandbox:
    """A running sandbox; a context manager. ``port=0`` takes a free one, ``pace=0`` skips all delays.

    ``accounts`` are the numbers it plays, or a function that returns them, called for each request.
    ``throughput`` is how many messages a number takes in any second (Meta: 80), None for no limit.
    ``calls`` holds the message requests that arrived, oldest first.
    """

    def __init__(
        self,
        accounts: Iterable[Account] | Directory,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: float = 1.0,
        throughput: int | None = None,
    ) -> None:
        known = accounts if callable(accounts) else list(accounts)
        phones = Phones()
        self._courier = Courier(watcher(phones))
        directory = known if callable(known) else lambda: known
        self._api = Api(directory, self._courier, People(phones, self._courier, pace), pace, throughput)
        try:
            self._server = _Server((host, port), _Handler, self._api)
        except OSError:
            self._courier.stop()
            raise
        self._api.url = self.url
        # How often it checks whether it should stop, in seconds.
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, name="sandbox", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address, for ``WHATSAPP_API_URL``."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def calls(self) -> list[Call]:
        return list(self._api.calls)

    def wait_idle(self, timeout: float = 10) -> bool:
        """Wait until every webhook that is queued has been posted; ``timeout`` is in seconds."""
        return self._courier.wait_idle(timeout)

    def stop(self) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._courier.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Finished by hang_up, not waited for: a kept-alive connection may idle for long.
    block_on_close = False
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], api: Api) -> None:
        self.api = api
        self.host = address[0]
        self._pages: Pages | None = None
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    @property
    def pages(self) -> Pages:
        # With Django, which nothing else here needs.
        from trochai.whatsapp.sandbox.pages import Pages

        with self._lock:
            if self._pages is None:
                self._pages = Pages(self.api, self.host)
            return self._pages

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error of the sandbox."""
        error = sys.exception()
        if not isinstance(error, OSError):
            logger.error("a request was not answered", exc_info=error)

    def hang_up(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Seconds that a kept-alive connection may idle.
    timeout = 120

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: one line per request would drown out the other processes' logs."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        is_page = path == "/" or path.startswith(PAGES)
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > (MAX_FORM if is_page else MAX_BODY):
            self.close_connection = True
            self._write(Reply(413, b"", headers={"Connection": "close"}))
            return
        body = self.rfile.read(int(length))
        reply = self._page(body) if is_page else self._api(body)
        if reply.then == "answer":
            self._write(reply)
            return
        if reply.then == "hang":
            self.server.stopping.wait(timeout=self.timeout)
        self.close_connection = True

    def _api(self, body: bytes) -> Reply:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        content_type = self.headers.get("Content-Type", "")
        return self.server.api.handle(self.command, self.path, token, body, content_type=content_type)

    def _page(self, body: bytes) -> Reply:
        from trochai.whatsapp.sandbox.pages import Request

        return self.server.pages.handle(Request(self.command, self.path, self.headers, body))

    def _write(self, reply: Reply) -> None:
        head = (
            f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('',))[0]}\r\n"
            f"Content-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            + "\r\n"
        )
        # One write, one packet: a head on its own would wait for the client's acknowledgement.
        self.wfile.write(head.encode() + reply.body)
