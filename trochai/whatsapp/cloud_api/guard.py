"""No request calls Meta: a web thread that waits for Meta answers nobody else (docs/decisions/0010)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

_in_request: ContextVar[bool] = ContextVar("in_request", default=False)


class NoCallsMiddleware:
    """Marks what runs for a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        mark = _in_request.set(True)
        try:
            return self._get_response(request)
        finally:
            _in_request.reset(mark)


def refuse_in_request() -> None:
    """Raise ``RuntimeError`` where a request is being answered."""
    if _in_request.get():
        raise RuntimeError("A request must not call Meta: leave it to a worker.")
