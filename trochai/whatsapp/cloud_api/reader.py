"""Calls to Meta that change nothing, or nothing that matters: they may be made again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import certifi
import requests
import urllib3
from requests_toolbelt.multipart.encoder import MultipartEncoder

from trochai.whatsapp.cloud_api.media import TooLarge
from trochai.whatsapp.cloud_api.transport import HEADERS, MAX_ANSWER, Answer, NoAnswer, NotSent

# Bytes taken from the connection at a time.
PIECE = 64 * 1024
# Seconds. 100 MB at 2.7 Mbit/s.
LONGEST_TRANSFER = 300

# Takes the body of an answer, until a moment of ``time.monotonic``.
Taker = Callable[[requests.Response, float], bytes]

_BEFORE_THE_FIRST_BYTE = (requests.ConnectTimeout, requests.exceptions.InvalidURL)
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)


@dataclass(frozen=True)
class Reader:
    """The timeouts are in seconds. Together they bound the whole call, even if bytes come one by one."""

    connect_timeout: float
    read_timeout: float

    def get(self, url: str, *, headers: Mapping[str, str], params: Mapping[str, str]) -> Answer:
        """Return the whole answer. Raises ``NotSent`` or ``NoAnswer``, which name the failure alone."""
        seconds = self.connect_timeout + self.read_timeout
        return self._ask("GET", url, headers, _whole, seconds=seconds, params=params)

    def upload(self, url: str, *, headers: Mapping[str, str], fields: Mapping[str, object]) -> Answer:
        """Post a form whose files are read piece by piece. Returns and raises what ``get`` does."""
        form = MultipartEncoder(fields)
        typed = {**headers, "Content-Type": form.content_type}
        return self._ask("POST", url, typed, _whole, seconds=LONGEST_TRANSFER, data=form)

    def download(self, url: str, *, headers: Mapping[str, str], into: IO[bytes], limit: int) -> Answer:
        """Write the bytes of a file (status 200) ``into`` one; the answer's own body is empty.

        Raises what ``get`` does, and ``TooLarge`` above ``limit`` bytes.
        """

        def write(response: requests.Response, deadline: float) -> bytes:
            if response.status_code == 200:
                for piece in _pieces(response, deadline, limit=limit):
                    into.write(piece)
            return b""

        return self._ask("GET", url, headers, write, seconds=LONGEST_TRANSFER)

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], take: Taker, *, seconds: float, **sent: Any
    ) -> Answer:
        deadline = time.monotonic() + seconds
        failure: Exception
        try:
            with requests.Session() as session:
                # Neither a proxy nor a .netrc of this machine, which would replace the token.
                session.trust_env = False
                with session.request(
                    method,
                    url,
                    headers={**HEADERS, **headers},
                    timeout=(self.connect_timeout, self.read_timeout),
                    allow_redirects=False,
                    stream=True,
                    verify=certifi.where(),
                    **sent,
                ) as response:
                    return Answer(response.status_code, response.headers, take(response, deadline))
        except _BEFORE_THE_FIRST_BYTE as error:
            failure = NotSent(type(error).__name__)
        except _FAILURES as error:
            failure = NoAnswer(type(error).__name__)
        # Raised outside of the handler: the exceptions of requests hold the request, with its token.
        raise failure


def _whole(response: requests.Response, deadline: float) -> bytes:
    try:
        return b"".join(_pieces(response, deadline, limit=MAX_ANSWER))
    except TooLarge:
        raise ValueError("the answer is too long") from None


def _pieces(response: requests.Response, deadline: float, *, limit: int) -> Iterator[bytes]:
    taken = 0
    # As it arrives: iter_content would wait until a piece is full.
    while piece := response.raw.read1(PIECE):
        taken += len(piece)
        if taken > limit:
            raise TooLarge
        yield piece
        if time.monotonic() > deadline:
            raise TimeoutError
