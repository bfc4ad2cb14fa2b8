from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from trochai.celery import app
from trochai.waking import Waker

BODY = {"type": "BODY", "text": "Hola {{1}}", "example": {"body_text": [["Ana"]]}}


def entry(name: str = "visit_reminder", **fields: Any) -> dict[str, Any]:
    """Return a template as Meta lists it."""
    return {
        "id": f"id-{name}",
        "name": name,
        "language": "es",
        "status": "APPROVED",
        "category": "UTILITY",
        "parameter_format": "POSITIONAL",
        "rejected_reason": "NONE",
        "quality_score": {"score": "GREEN", "date": 1763600000},
        "components": [BODY],
        **fields,
    }


@pytest.fixture
def meta_lists(httpserver: HTTPServer, settings: Any) -> Callable[..., None]:
    """``meta_lists(channel, [entry(), …], …)``: what Meta answers from now on, one list a page."""
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")

    def answer(channel: Any, *pages: list[Any]) -> None:
        def page(request: Request) -> Response:
            number = int(request.args.get("after", "1"))
            more = {"next": "https://example.com/next"} if number < len(pages) else {}
            paging = {"cursors": {"before": "0", "after": str(number + 1)}, **more}
            return Response(json.dumps({"data": pages[number - 1], "paging": paging}))

        httpserver.expect_request(templates_path(channel)).respond_with_handler(page)

    return answer


@pytest.fixture
def meta_refuses(httpserver: HTTPServer, settings: Any) -> Callable[..., None]:
    """``meta_refuses(channel, status, body)``: an answer that is no list."""
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")

    def answer(channel: Any, status: int, body: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        httpserver.expect_request(templates_path(channel)).respond_with_data(text, status=status)

    return answer


@pytest.fixture
def eager_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks run where they are called, instead of waiting for a worker.

    In the waker's thread they would open a connection that nobody closes.
    """
    monkeypatch.setattr(Waker, "wake", lambda _self, task, *arguments: task.apply_async(arguments))
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def templates_path(channel: Any) -> str:
    return f"/{django_settings.WHATSAPP_API_VERSION}/{channel.waba_id}/message_templates"
