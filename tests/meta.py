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

    ``headers`` are added to every answer. ``wa_ids`` has WhatsApp's own names of numbers, ``portfolios`` the
    owners of the accounts that it tells, ``limits`` what it says of the numbers' messaging limits.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.headers: dict[str, str] = {}
        self.wa_ids: dict[str, str] = {}
        self.portfolios: dict[str, str] = {}
        self.limits: dict[str, str] = {}
        self.lock = threading.Lock()
        messages = re.compile(r"^/v[\d.]+/\d+/messages$")
        server.expect_request(messages, method="POST").respond_with_handler(self.handle)
        account = re.compile(r"^/v[\d.]+/\d+$")
        server.expect_request(account, method="GET").respond_with_handler(self._account)

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
        wa_id = self.wa_ids.get(body.get("to", ""), "")
        status, payload = answer or (200, accepted(f"wamid.{uuid.uuid4().hex}", wa_id=wa_id))
        if isinstance(payload, str):
            return Response(payload, status, content_type="text/html")
        return Response(json.dumps(payload), status, self.headers, content_type="application/json")

    def _account(self, request: Request) -> Response:
        waba_id = request.path.rsplit("/", 1)[-1]
        if waba_id in self.limits:
            number = {"id": waba_id, "whatsapp_business_manager_messaging_limit": self.limits[waba_id]}
            return Response(json.dumps(number), 200, content_type="application/json")
        if waba_id not in self.portfolios:
            refusal = {"error": {"message": "(#200) Permission", "code": 200}}
            return Response(json.dumps(refusal), 403, content_type="application/json")
        owner = {"id": waba_id, "owner_business_info": {"id": self.portfolios[waba_id], "name": "Casa"}}
        return Response(json.dumps(owner), 200, content_type="application/json")


def accepted(whatsapp_id: str, *, wa_id: str = "") -> dict[str, Any]:
    contacts = [{"wa_id": wa_id}] if wa_id else []
    return {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": whatsapp_id}]}
