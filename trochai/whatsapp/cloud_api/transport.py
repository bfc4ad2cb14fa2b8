"""POSTs to Meta, with a deadline, that tell "surely not sent" from "nobody knows".

The only module that knows ``aiohttp``: it costs 0.3 ms of CPU time a call, and its exceptions say whether a
connection was ever made.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import aiohttp
import certifi

import trochai

# Bytes. A page of 100 templates is some 200 KB.
MAX_ANSWER = 1024 * 1024
# Seconds. A connection that idled longer is not used again: a server that closes it just when
# the next request goes out would leave that request's outcome unknown.
MAX_IDLE = 20.0
HEADERS = {
    "User-Agent": f"trochai/{trochai.__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}

# A connection that was never made carried nothing. Everything later may have reached Meta.
_BEFORE_THE_FIRST_BYTE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


class NotSent(Exception):
    """No byte of the request left this machine: it can safely be made again."""


class NoAnswer(Exception):
    """The request may have arrived, but no whole answer came back."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class AsyncTransport:
    """A pool of kept-alive connections, for calls on the running event loop.

    The timeouts are in seconds. Together they bound the whole call, so that a server that answers a byte
    at a time cannot hold a worker. The caller limits how many run at once.
    """

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        timeouts = aiohttp.ClientTimeout(
            total=connect_timeout + read_timeout, connect=connect_timeout, sock_read=read_timeout
        )
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=MAX_IDLE,
            ssl=_authorities(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeouts,
            auto_decompress=False,
            trust_env=False,
            headers=HEADERS,
        )

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one call. Raises ``NotSent`` or ``NoAnswer``, which name the failure and nothing else.

        It is never repeated, not even on another connection: it is not idempotent.
        """
        failure: Exception
        try:
            async with self._session.post(url, headers=headers, data=body, allow_redirects=False) as response:
                return Answer(response.status, response.headers, await _bounded(response))
        except _BEFORE_THE_FIRST_BYTE as error:
            failure = NotSent(type(error).__name__)
        except _FAILURES as error:
            failure = NoAnswer(type(error).__name__)
        # Raised outside of the handler: the exceptions of aiohttp hold the request, with its token.
        raise failure

    async def close(self) -> None:
        await self._session.close()


@cache
def _authorities() -> ssl.SSLContext:
    """Return the authorities of certifi, not whatever this machine has; read from disk once."""
    return ssl.create_default_context(cafile=certifi.where())


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ValueError("the answer is too long")
    return bytes(body)
