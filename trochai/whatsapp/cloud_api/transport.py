"""One HTTP call to Meta, with a deadline, that tells "surely not sent" from "nobody knows".

The only module that knows ``requests``. ``async_transport`` is the same for many calls at once.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

# Bytes. A page of 100 templates is some 200 KB.
MAX_ANSWER = 1024 * 1024
# Seconds. A connection that idled longer is not used again: a server that closes it just when
# the next request goes out would leave that request's outcome unknown.
MAX_IDLE = 20.0
HEADERS = {"User-Agent": "trochai", "Accept": "application/json", "Accept-Encoding": "identity"}

_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class NotSent(Exception):
    """No byte of the request left this machine: it can safely be made again."""


class NoAnswer(Exception):
    """The request may have arrived, but no whole answer came back."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A pool of kept-alive connections; usable by many threads at once.

    ``connect_timeout`` and ``read_timeout`` are in seconds. Together they bound the whole call, so
    that a server which answers a byte at a time cannot hold a worker.
    """

    def __init__(self, *, connect_timeout: float, read_timeout: float, pool_size: int) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._session = requests.Session()
        # No proxies, .netrc or CA bundles by environment variable; and half the CPU time a call.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers = requests.structures.CaseInsensitiveDict(HEADERS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=pool_size, max_retries=0))

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Make one call. Raises ``NotSent`` or ``NoAnswer``, which name the failure and nothing else."""
        _call.has_left = False
        _call.ends_at = time.monotonic() + sum(self._timeouts)
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                params=params,
                data=body,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, _bounded(response))
        except _FAILURES as failure:
            name = type(failure).__name__
        # Raised outside of the handler: the exceptions of requests hold the request, with its token.
        raise NoAnswer(name) if _call.has_left else NotSent(name)


def _bounded(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ValueError("the answer is too long")
    return bytes(body)


class _Call(threading.local):
    """The call that this thread is making."""

    has_left = False
    ends_at = 0.0


_call = _Call()


class _DeadlineReader(io.RawIOBase):
    """Reads an answer from a socket until the call's deadline; the socket's own timeout is per read."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._patience = sock.gettimeout() or math.inf
        self._ends_at = _call.ends_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(self._patience, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Watched:
    """Notes when the first byte of a request leaves, and distrusts long-idle connections."""

    response_class = _Response
    _used_at = 0.0
    sock: socket.socket | None

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self._used_at = time.monotonic()
        _call.has_left = True
        super().send(data)  # type: ignore[misc]

    @property
    def is_connected(self) -> bool:
        fresh = time.monotonic() - self._used_at < MAX_IDLE
        return fresh and super().is_connected  # type: ignore[misc]


class _HTTPConnection(_Watched, urllib3.connection.HTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_Watched, urllib3.connection.HTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
