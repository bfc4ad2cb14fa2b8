"""Many HTTP calls to Meta at once, on one event loop: what ``transport`` is for single calls.

The only module that knows ``aiohttp``. A call costs 0.3 ms of CPU time here, and 0.9 to 1.8 in a thread with
``requests``: at a number's highest rate that alone would take both cores of a small machine.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache

import aiohttp
import certifi

from trochai.whatsapp.cloud_api import transport
from trochai.whatsapp.cloud_api.transport import Answer, NoAnswer, NotSent

# A connection that was never made carried nothing. Everything later may have reached Meta.
_BEFORE_THE_FIRST_BYTE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


class AsyncTransport:
    """A pool of kept-alive connections, for calls on the running event loop.

    The timeouts are in seconds. Together they bound the whole call. How many calls run at once is the
    caller's to bound.
    """

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        timeouts = aiohttp.ClientTimeout(
            total=connect_timeout + read_timeout, connect=connect_timeout, sock_read=read_timeout
        )
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=transport.MAX_IDLE,
            ssl=_authorities(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeouts,
            auto_decompress=False,
            trust_env=False,
            headers=transport.HEADERS,
        )

    async def call(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one call. Raises ``NotSent`` or ``NoAnswer``, which name the failure and nothing else.

        What is not idempotent is never repeated, also not on another connection.
        """
        failure: Exception
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
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
    """Return what requests trusts, not whatever this machine has; read from disk once."""
    return ssl.create_default_context(cafile=certifi.where())


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > transport.MAX_ANSWER:
            raise ValueError("the answer is too long")
    return bytes(body)
