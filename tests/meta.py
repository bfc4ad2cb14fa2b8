"""Meta's messages endpoint on a local server, for tests that send. The fixture is ``meta``."""

from __future__ import annotations

import json
import re
import threading
import uuid
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


class Meta:
    """Accepts everything unless ``answer`` says otherwise; ``requests`` has the bodies it was sent.

    ``headers`` are added to every answer.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.headers: dict[str, str] = {}
        self.lock = threading.Lock()
        messages = re.compile(r"^/v[\d.]+/\d+/messages$")
        server.expect_request(messages, method="POST").respond_with_handler(self.handle)

    def answer(self, *answers: Any) -> None:
        """Use these for the next calls: an error code, (status, body) or a function of the request."""
        self.answers += answers

    def handle(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        with self.lock:
            self.requests.append(body)
            answer = self.answers.pop(0) if self.answers else None
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, int):
            answer = (400, {"error": {"message": f"(#{answer}) Refused", "code": answer}})
        status, payload = answer or (200, accepted(f"wamid.{uuid.uuid4().hex}"))
        if isinstance(payload, str):
            return Response(payload, status, content_type="text/html")
        return Response(json.dumps(payload), status, self.headers, content_type="application/json")


def accepted(whatsapp_id: str) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "contacts": [], "messages": [{"id": whatsapp_id}]}
