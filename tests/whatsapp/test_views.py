from __future__ import annotations

import json
import time
import uuid

import pytest
from django.test import Client

from tests.factories import ChannelFactory
from tests.whatsapp.conftest import change, post, signed
from trochai.waking import Waker
from trochai.whatsapp import tasks
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.signals import inbound_message
from trochai.whatsapp.webhooks import views
from trochai.whatsapp.webhooks.views import MAX_BODY

HOLA = {"from": "50688881234", "id": "wamid.IN", "type": "text", "text": {"body": "¡Hola!"}}


@pytest.fixture
def meta():
    """Meta's side: no session, no CSRF token."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def queued(monkeypatch):
    """The moments at which a worker was woken."""
    moments = []
    monkeypatch.setattr(views, "waker", Waker())
    monkeypatch.setattr(
        tasks.process_waiting_webhooks, "apply_async", lambda _args, **_: moments.append(time.monotonic())
    )
    return moments


def verify(http, channel, **query):
    query = {"mode": "subscribe", "verify_token": "test-verify-token", "challenge": "1158201444", **query}
    return http.get(
        f"/webhooks/whatsapp/{channel.uuid}/", {f"hub.{name}": value for name, value in query.items()}
    )


def test_meta_verifies_the_address_with_the_channels_token(meta, channel):
    answer = verify(meta, channel)
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query", [{"verify_token": "x"}, {"verify_token": "ñ"}, {"verify_token": ""}, {"mode": "x"}]
)
def test_nobody_else_does(meta, channel, query):
    assert verify(meta, channel, **query).status_code == 403


def test_a_channel_without_a_verify_token_is_never_verified(meta, db):
    assert verify(meta, ChannelFactory(verify_token=""), verify_token="").status_code == 403


def test_a_genuine_body_is_stored_as_it_came_and_a_worker_woken(
    meta, channel, queued, django_capture_on_commit_callbacks, django_assert_max_num_queries
):
    raw = json.dumps(change(channel, messages=[HOLA])).encode()
    assert b"\\u00a1" in raw
    with django_assert_max_num_queries(4), django_capture_on_commit_callbacks(execute=True):
        answer = post(meta, channel, raw)
    assert (answer.status_code, answer.content) == (200, b"")
    delivery = WebhookDelivery.objects.get()
    assert (bytes(delivery.body), delivery.channel, delivery.processed_at) == (raw, channel, None)
    views.waker.wait_idle()
    assert len(queued) == 1


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=x", signed(b"{}", "other-channels-secret"), signed(b"{} ")],
)
def test_a_bad_signature_is_refused_and_leaves_nothing(meta, channel, signature):
    answer = post(meta, channel, b"{}", **{"X-Hub-Signature-256": signature})
    assert answer.status_code == 403
    assert not WebhookDelivery.objects.exists()


def test_a_missing_signature_is_refused(meta, channel):
    answer = meta.post(f"/webhooks/whatsapp/{channel.uuid}/", b"{}", content_type="application/json")
    assert answer.status_code == 403


def test_another_channels_genuine_body_is_refused(meta, channel):
    other = ChannelFactory(app_secret="other-secret")
    body = b'{"entry": []}'
    answer = post(meta, channel, body, **{"X-Hub-Signature-256": signed(body, other.app_secret)})
    assert answer.status_code == 403


def test_a_channel_without_a_secret_takes_nothing(meta, db):
    channel = ChannelFactory(app_secret="")
    assert post(meta, channel, b"{}", **{"X-Hub-Signature-256": signed(b"{}", "")}).status_code == 403


def test_an_unknown_address_is_not_found(meta, db):
    for address in (uuid.uuid4(), "not-a-uuid"):
        assert meta.post(f"/webhooks/whatsapp/{address}/", b"{}", "application/json").status_code == 404


def test_ten_megabytes_are_refused_unread(meta, channel):
    class Unread:
        def read(self, size=-1):
            raise AssertionError("nobody needs to read this")

        readline = read

    answer = meta.post(
        f"/webhooks/whatsapp/{channel.uuid}/",
        b"",
        content_type="application/json",
        CONTENT_LENGTH=str(10 * 1024 * 1024),
        **{"wsgi.input": Unread()},
    )
    assert answer.status_code == 413
    assert not WebhookDelivery.objects.exists()


def test_the_limit_itself_is_taken_and_a_byte_more_is_not(meta, channel, queued):
    assert post(meta, channel, b" " * MAX_BODY).status_code == 200
    assert post(meta, channel, b" " * (MAX_BODY + 1)).status_code == 413
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Transfer-Encoding": "chunked"}, 411), ({}, 411), ({"Content-Length": "0"}, 411)],
)
def test_a_body_that_was_not_read_is_not_taken_for_an_empty_one(meta, channel, headers, status):
    """A server shows a chunked body as empty, and whoever has a signature of nothing could post anything."""
    headers = {"X-Hub-Signature-256": signed(b"", channel.app_secret), **headers}
    answer = meta.post(
        f"/webhooks/whatsapp/{channel.uuid}/", b"", content_type="application/json", headers=headers
    )
    assert answer.status_code == status
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"<html>", b"\xff\x00"])
def test_a_genuine_body_that_is_not_json_is_taken_kept_and_marked(meta, channel, queued, body):
    assert post(meta, channel, body).status_code == 200
    delivery = WebhookDelivery.objects.get()
    tasks.process_waiting_webhooks()
    delivery.refresh_from_db()
    assert delivery.error == "The body is not JSON."
    assert delivery.processed_at is not None


def test_other_methods_are_not_allowed(meta, channel):
    assert meta.put(f"/webhooks/whatsapp/{channel.uuid}/").status_code == 405


def test_a_broker_that_is_down_loses_nothing(meta, channel, monkeypatch, django_capture_on_commit_callbacks):
    def no_broker(*args, **options):
        raise ConnectionRefusedError

    heard = []
    monkeypatch.setattr(views, "waker", Waker())
    monkeypatch.setattr(tasks.process_waiting_webhooks, "apply_async", no_broker)
    with django_capture_on_commit_callbacks(execute=True):
        assert post(meta, channel, change(channel, messages=[HOLA])).status_code == 200
    views.waker.wait_idle()

    def hear(sender, channel, event, **_):
        heard.append(event.text)

    inbound_message.connect(hear)
    try:
        tasks.process_waiting_webhooks()
    finally:
        inbound_message.disconnect(hear)
    assert heard == ["¡Hola!"]
    assert not WebhookDelivery.objects.filter(processed_at=None).exists()
