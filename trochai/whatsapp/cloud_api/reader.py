"""GETs to Meta for those who wait for the answer. Reading changes nothing: it may be tried again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import certifi
import requests
import urllib3

from trochai.whatsapp.cloud_api.transport import HEADERS, MAX_ANSWER, Answer, NoAnswer, NotSent

# Bytes taken from the connection at a time.
PIECE = 64 * 1024

_BEFORE_THE_FIRST_BYTE = (requests.ConnectTimeout, requests.exceptions.InvalidURL)
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)


@dataclass(frozen=True)
class Reader:
    """The timeouts are in seconds. Together they bound the whole call, even if bytes come one by one."""

    connect_timeout: float
    read_timeout: float

    def get(self, url: str, *, headers: Mapping[str, str], params: Mapping[str, str]) -> Answer:
        """Return the whole answer. Raises ``NotSent`` or ``NoAnswer``, which name the failure alone."""
        failure: Exception
        try:
            with requests.Session() as session:
                # Neither a proxy nor a .netrc of this machine, which would replace the token.
                session.trust_env = False
                return self._get(session, url, {**HEADERS, **headers}, params)
        except _BEFORE_THE_FIRST_BYTE as error:
            failure = NotSent(type(error).__name__)
        except _FAILURES as error:
            failure = NoAnswer(type(error).__name__)
        # Raised outside of the handler: the exceptions of requests hold the request, with its token.
        raise failure

    def _get(
        self, session: requests.Session, url: str, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> Answer:
        deadline = time.monotonic() + self.connect_timeout + self.read_timeout
        with session.get(
            url,
            headers=headers,
            params=params,
            timeout=(self.connect_timeout, self.read_timeout),
            allow_redirects=False,
            stream=True,
            verify=certifi.where(),
        ) as response:
            return Answer(response.status_code, response.headers, _bounded(response, deadline))


def _bounded(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # As it arrives: iter_content would wait until a piece is full.
    while piece := response.raw.read1(PIECE):
        body += piece
        if len(body) > MAX_ANSWER:
            raise ValueError("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)
