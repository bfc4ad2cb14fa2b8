from __future__ import annotations

import datetime as dt
import json
import re
import threading
import uuid
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conversations import outbox
from conversations.models import Conversation, EarlyStatus, Message
from tests import factories
from trochai.whatsapp import rate, signals
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.webhooks.parsing import MessageStatus

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


class Meta:
    """The messages endpoint: answers what it is told to and keeps what it was sent."""

    def __init__(self, server: HTTPServer) -> None:
        self.calls: list[dict[str, Any]] = []
        self.status = 200
        self.body: dict[str, Any] | str = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "+50688881234", "wa_id": "50688881234"}],
            "messages": [{"id": "wamid.NEW"}],
        }
        self.meanwhile: Any = None
        server.expect_request(method="POST", uri=re.compile(r".*/messages$")).respond_with_handler(
            self.answer
        )

    def answer(self, request: Request) -> Response:
        call = json.loads(request.data)
        self.calls.append(call)
        if self.meanwhile is not None:
            try:
                self.meanwhile(call["biz_opaque_callback_data"])
            finally:
                connection.close()
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return Response(body, status=self.status, content_type="application/json")

    def refuse(self, code: int, status: int = 400) -> None:
        self.status = status
        self.body = {"error": {"message": "no", "type": "OAuthException", "code": code, "fbtrace_id": "x"}}


@pytest.fixture
def meta(httpserver: HTTPServer, settings) -> Meta:
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
    return Meta(httpserver)


def open_conversation() -> Conversation:
    channel = factories.ChannelFactory()
    return factories.ConversationFactory(
        organization=channel.organization, channel=channel, last_inbound_at=NOW - dt.timedelta(hours=1)
    )


def send(conversation: Conversation, text: str = "Con mucho gusto", **changes: Any) -> Message:
    by = factories.UserFactory()
    return outbox.send_reply(conversation=conversation, text=text, by=by, now=NOW, **changes)


@pytest.mark.django_db
def test_a_reply_goes_out_and_stands_in_the_conversation(meta):
    conversation = open_conversation()
    message = send(conversation, "Con mucho\ngusto")
    (call,) = meta.calls
    assert call["to"] == conversation.contact.phone
    assert call["text"]["body"] == "Con mucho\ngusto"
    assert call["biz_opaque_callback_data"] == f"message:{message.uuid}"
    assert (message.delivery, message.whatsapp_id, message.at) == ("accepted", "wamid.NEW", NOW)
    conversation.refresh_from_db()
    assert (conversation.preview, conversation.preview_is_outbound) == ("Con mucho gusto", True)
    assert conversation.last_message_at == conversation.last_outbound_at == NOW


@pytest.mark.django_db
def test_the_same_submission_twice_is_one_message_and_one_call(meta):
    conversation, submission = open_conversation(), uuid.uuid4()
    first = send(conversation, uuid=submission)
    second = send(conversation, uuid=submission)
    assert first.pk == second.pk
    assert len(meta.calls) == 1


@pytest.mark.django_db
def test_a_submission_id_of_another_organization_is_refused(meta):
    submission = uuid.uuid4()
    send(open_conversation(), uuid=submission)
    with pytest.raises(outbox.ReplyRefused):
        send(open_conversation(), uuid=submission)


@pytest.mark.django_db
def test_outside_the_window_nothing_is_written(meta):
    conversation = open_conversation()
    conversation.last_inbound_at = NOW - dt.timedelta(hours=24)
    with pytest.raises(outbox.WindowClosed, match="24-hour window is closed"):
        send(conversation)
    assert not Message.objects.exists()
    assert meta.calls == []


@pytest.mark.django_db
def test_a_stopped_channel_says_why(meta):
    conversation = open_conversation()
    conversation.channel.stopped_at = NOW
    conversation.channel.stop_code = 190
    with pytest.raises(outbox.ChannelStopped, match=r"access token is not valid any more\."):
        send(conversation)
    assert meta.calls == []


@pytest.mark.parametrize("code", [131026, 131047, 130429])
@pytest.mark.django_db
def test_a_refused_reply_keeps_code_and_reason(meta, code):
    meta.refuse(code)
    message = send(open_conversation())
    assert (message.delivery, message.error_code) == ("failed", code)
    assert message.error_reason


@pytest.mark.django_db
def test_a_token_that_meta_refuses_stops_the_channel(meta):
    meta.refuse(190, status=401)
    conversation = open_conversation()
    assert send(conversation).delivery == "failed"
    conversation.channel.refresh_from_db()
    assert conversation.channel.is_stopped


@pytest.mark.django_db
def test_an_answer_that_nobody_can_read_leaves_it_unknown(meta):
    meta.status, meta.body = 502, "<html>Bad gateway</html>"
    message = send(open_conversation())
    assert (message.delivery, message.whatsapp_id) == ("unknown", "")
    assert "may have reached" in message.error_reason


@pytest.mark.django_db
def test_a_full_line_fails_with_a_plain_sentence_and_without_a_call(meta):
    conversation = open_conversation()
    rate.slow_down(conversation.channel, dt.timedelta(minutes=1))
    message = send(conversation)
    assert (message.delivery, message.error_reason) == (
        "failed",
        "Too many messages right now. Try again in a moment.",
    )
    assert meta.calls == []


@pytest.mark.django_db(transaction=True)
def test_a_webhook_that_is_faster_than_the_answer_is_not_overwritten(meta):
    """Whatever the answer then says: the message is there before the call, and the webhook settles it."""
    conversation = open_conversation()

    def read(reference: str) -> None:
        event = MessageStatus(id="wamid.NEW", status="read", at=NOW, reference=reference, failure=Failure())
        signals.message_status.send(sender=None, channel=conversation.channel, event=event)

    meta.meanwhile = read
    assert send(conversation).delivery == "read"
    meta.status, meta.body = 502, "<html>Bad gateway</html>"
    meta.meanwhile = lambda reference: signals.message_status.send(
        sender=None,
        channel=conversation.channel,
        event=MessageStatus(id="wamid.LATER", status="sent", at=NOW, reference=reference, failure=Failure()),
    )
    message = send(conversation)
    assert (message.delivery, message.whatsapp_id, message.error_reason) == ("sent", "wamid.LATER", "")


@pytest.mark.django_db
def test_a_status_without_reference_that_came_first_is_applied(meta):
    conversation = open_conversation()
    EarlyStatus.objects.create(
        channel=conversation.channel, whatsapp_id="wamid.NEW", status="delivered", at=NOW
    )
    assert send(conversation).delivery == "delivered"
    assert not EarlyStatus.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_two_connections_makes_one_call(meta):
    conversation, submission, by = open_conversation(), uuid.uuid4(), factories.UserFactory()
    start, seen = threading.Barrier(2), []

    def click() -> None:
        try:
            start.wait()
            message = outbox.send_reply(conversation=conversation, text="Sí", by=by, now=NOW, uuid=submission)
            seen.append(message.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert len(meta.calls) == 1


@pytest.mark.django_db
def test_a_failed_reply_is_retried_as_one_new_message(meta):
    meta.refuse(131026)
    failed = send(open_conversation())
    by = factories.UserFactory()
    again = outbox.retry_reply(failed, by=by, now=NOW)
    assert again.pk != failed.pk
    assert (again.text, again.sent_by) == (failed.text, by)
    assert outbox.retry_reply(failed, by=by, now=NOW).pk == again.pk
    assert len(meta.calls) == 2


@pytest.mark.django_db
def test_a_reply_whose_outcome_is_unknown_is_retried_only_on_a_persons_word(meta):
    message = factories.MessageFactory(conversation=open_conversation(), delivery="unknown", whatsapp_id="")
    by = factories.UserFactory()
    with pytest.raises(outbox.MayHaveArrived, match="may already have arrived"):
        outbox.retry_reply(message, by=by, now=NOW)
    assert outbox.retry_reply(message, by=by, now=NOW, anyway=True).delivery == "accepted"


@pytest.mark.parametrize("delivery", ["sending", "accepted", "read"])
@pytest.mark.django_db
def test_what_did_not_fail_is_not_sent_again(meta, delivery):
    message = factories.MessageFactory(conversation=open_conversation(), delivery=delivery)
    with pytest.raises(outbox.ReplyRefused):
        outbox.retry_reply(message, by=factories.UserFactory(), now=NOW)
    assert meta.calls == []


@pytest.mark.django_db
def test_a_call_that_never_came_back_becomes_unknown_after_ten_minutes():
    conversation = open_conversation()
    old, young = (
        factories.MessageFactory(
            conversation=conversation,
            delivery="sending",
            whatsapp_id="",
            created_at=NOW - dt.timedelta(minutes=age),
        )
        for age in (11, 9)
    )
    outbox.give_up_on_sending(now=NOW)
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.delivery, old.error_reason) == ("unknown", "It may have reached the contact.")
    assert young.delivery == "sending"
