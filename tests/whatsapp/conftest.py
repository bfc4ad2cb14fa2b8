from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.factories import ChannelFactory
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.transport import AsyncTransport
from trochai.whatsapp.sandbox import SANDBOX_TOKEN, Account, Sandbox


@pytest.fixture
def channel(db):
    return ChannelFactory()


@pytest.fixture
def sandbox(settings, channel):
    """The sandbox on a free port, as the API of ``channel``; without delays and without webhooks."""
    account = Account(
        phone_number_id=channel.phone_number_id, waba_id=channel.waba_id, token=channel.access_token
    )
    with Sandbox([account], pace=0) as running:
        settings.WHATSAPP_API_URL = running.url
        settings.WHATSAPP_CONNECT_TIMEOUT = 2
        settings.WHATSAPP_READ_TIMEOUT = 0.3
        yield running


@pytest.fixture
def client(sandbox, channel):
    """The production client, talking to the sandbox."""
    return client_for(channel)


def send_message(client, **message):
    """Send as a worker does, on an event loop, and wait for what comes of it."""

    async def send():
        transport = AsyncTransport(connect_timeout=2, read_timeout=0.4)
        try:
            return await client.send(**message, transport=transport)
        finally:
            await transport.close()

    return asyncio.run(send())


def signed(body: bytes, secret: str = "test-app-secret") -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def change(channel, field="messages", number=None, **value):
    """Return a webhook body with one change."""
    if field == "messages":
        value["metadata"] = {"phone_number_id": number or channel.phone_number_id}
    entry = {"id": channel.waba_id, "changes": [{"field": field, "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def post(http, channel, payload, **headers):
    """POST a webhook as Meta does: signed over the raw bytes."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {"X-Hub-Signature-256": signed(body, channel.app_secret), **headers}
    return http.post(
        f"/webhooks/whatsapp/{channel.uuid}/", body, content_type="application/json", headers=headers
    )


class App(BaseHTTPRequestHandler):
    """An app that takes webhooks and keeps what is signed as it should be."""

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if self.headers["X-Hub-Signature-256"] != signed(raw):
            status = 403
        if status == 200:
            payload = json.loads(raw)
            self.server.payloads.append(payload)
            entry = payload["entry"][0]
            self.server.values += [(entry["id"], change["value"]) for change in entry["changes"]]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def app():
    """An app at a port of its own, which is told what happens in ``with_app``."""
    server = HTTPServer(("127.0.0.1", 0), App)
    server.values, server.answers, server.payloads = [], [], []
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def with_app(app, channel, settings):
    """A sandbox that posts its webhooks to ``app``."""
    account = Account(
        phone_number_id=channel.phone_number_id,
        waba_id=channel.waba_id,
        app_secret=channel.app_secret,
        webhook_url=f"http://127.0.0.1:{app.server_port}/webhooks/whatsapp/x/",
    )
    channel.access_token = SANDBOX_TOKEN
    with Sandbox([account], pace=0) as running:
        settings.WHATSAPP_API_URL = running.url
        settings.WHATSAPP_READ_TIMEOUT = 0.5
        running.account = account
        yield running
