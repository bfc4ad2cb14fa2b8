from __future__ import annotations

import datetime as dt
import json
import re
import threading
import uuid
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conversations import outbox
from conversations.models import Contact, Conversation, EarlyStatus, Message, QueuedMessage
from conversations.sending import queue
from conversations.tasks import send_replies
from tests import factories
from tests.conversations.replies import sent
from trochai.clock import database_now
from trochai.whatsapp import rate, signals
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.webhooks import deliveries
from trochai.whatsapp.webhooks.parsing import MessageStatus

# Workers go by the database's clock.
NOW = timezone.now()


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
        self.ids: list[str] = []
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
        if self.ids and isinstance(self.body, dict):
            self.body["messages"] = [{"id": self.ids.pop(0)}]
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


def write(conversation: Conversation, text: str = "Con mucho gusto", **changes: Any) -> Message:
    by = factories.UserFactory()
    return outbox.send_reply(conversation=conversation, text=text, by=by, now=NOW, **changes)


def send(conversation: Conversation, text: str = "Con mucho gusto", **changes: Any) -> Message:
    return sent(write(conversation, text, **changes))


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
        write(open_conversation(), uuid=submission)


@pytest.mark.django_db
def test_outside_the_window_nothing_is_written(meta):
    conversation = open_conversation()
    conversation.last_inbound_at = NOW - dt.timedelta(hours=24)
    with pytest.raises(outbox.WindowClosed, match="24-hour window is closed"):
        write(conversation)
    assert not Message.objects.exists()
    assert meta.calls == []


@pytest.mark.django_db
def test_a_stopped_channel_says_why(meta):
    conversation = open_conversation()
    conversation.channel.stopped_at = NOW
    conversation.channel.stop_code = 190
    with pytest.raises(outbox.ChannelStopped, match=r"access token is not valid any more\."):
        write(conversation)
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


@pytest.mark.parametrize(("seconds", "delivery"), [(0.3, "accepted"), (60, "sending")])
@pytest.mark.django_db
def test_a_reply_waits_while_its_line_is_full(meta, seconds, delivery):
    """One that is held up for long is left to a later run, as it would keep a worker busy."""
    conversation = open_conversation()
    rate.slow_down(conversation.channel, dt.timedelta(seconds=seconds))
    assert send(conversation).delivery == delivery


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
    send_replies()
    assert len(meta.calls) == 1


@pytest.mark.django_db
def test_a_failed_reply_is_retried_as_one_new_message(meta):
    meta.refuse(131026)
    failed = send(open_conversation())
    by = factories.UserFactory()
    again = sent(outbox.retry_reply(failed, by=by, now=NOW))
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
    assert sent(outbox.retry_reply(message, by=by, now=NOW, anyway=True)).delivery == "accepted"


@pytest.mark.parametrize("delivery", ["sending", "accepted", "read"])
@pytest.mark.django_db
def test_what_did_not_fail_is_not_sent_again(meta, delivery):
    message = factories.MessageFactory(conversation=open_conversation(), delivery=delivery)
    with pytest.raises(outbox.ReplyRefused):
        outbox.retry_reply(message, by=factories.UserFactory(), now=NOW)
    assert meta.calls == []


# What a worker finds ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_messages_of_one_conversation_arrive_in_the_order_in_which_they_were_written(meta):
    conversation = open_conversation()
    meta.ids = ["wamid.1", "wamid.2", "wamid.3"]
    for text in ("one", "two", "three"):
        write(conversation, text)
    send_replies()
    assert [call["text"]["body"] for call in meta.calls] == ["one", "two", "three"]


@pytest.mark.django_db
def test_while_one_message_is_on_its_way_the_next_of_its_conversation_waits(meta):
    first, other = open_conversation(), open_conversation()
    write(first)
    queue.claim(limit=1, now=database_now())  # by another worker
    after, elsewhere = write(first), write(other)
    assert sent(elsewhere).delivery == "accepted"
    after.refresh_from_db()
    assert after.delivery == "sending"


@pytest.mark.django_db
def test_a_reply_that_no_worker_has_begun_with_in_2_minutes_is_not_sent(meta):
    message = write(open_conversation())
    QueuedMessage.objects.update(written_at=database_now() - dt.timedelta(minutes=2, seconds=1))
    assert sent(message).delivery == "failed"
    assert message.error_reason == "It could not be sent within 2 minutes."
    assert meta.calls == []
    assert not QueuedMessage.objects.exists()


@pytest.mark.django_db
def test_a_window_that_has_closed_meanwhile_keeps_the_reply_back(meta):
    message = write(open_conversation())
    Conversation.objects.update(last_inbound_at=NOW - dt.timedelta(hours=24))
    assert sent(message).delivery == "failed"
    assert message.error_reason == "The 24-hour window closed before it could be sent."
    assert meta.calls == []


@pytest.mark.parametrize(("seconds", "delivery"), [(1, "failed"), (-1, "accepted")])
@pytest.mark.django_db
def test_an_opt_out_stops_what_was_written_before_it_and_not_what_is_written_after(meta, seconds, delivery):
    message = write(open_conversation())
    written_at = QueuedMessage.objects.get().written_at
    Contact.objects.update(opted_out_at=written_at + dt.timedelta(seconds=seconds))
    assert sent(message).delivery == delivery


@pytest.mark.django_db
def test_a_channel_that_has_stopped_meanwhile_says_why(meta):
    message = write(open_conversation())
    Channel.objects.update(stopped_at=NOW, stop_code=190)
    assert sent(message).delivery == "failed"
    assert "access token is not valid any more" in message.error_reason
    assert meta.calls == []


@pytest.mark.django_db
def test_a_reply_that_breaks_holds_up_no_other(meta, monkeypatch):
    broken, good = write(open_conversation(), "broken"), write(open_conversation(), "good")
    text = payloads.text

    def breaking(body):
        if body == "broken":
            raise ValueError
        return text(body)

    monkeypatch.setattr(payloads, "text", breaking)
    assert (sent(broken).delivery, sent(good).delivery) == ("failed", "accepted")
    assert "could not be prepared" in broken.error_reason


# Workers that vanish ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_worker_that_vanishes_before_the_call_leaves_the_reply_to_the_next(meta):
    message = write(open_conversation())
    now = database_now()
    claimed = queue.claim(limit=1, now=now - queue.LEASE)
    assert sent(message).delivery == "accepted"
    assert queue.mark(claimed.rows, token=claimed.token, now=now) == set()


@pytest.mark.django_db
def test_a_call_that_never_came_back_is_not_repeated_and_becomes_unknown_after_ten_minutes(meta):
    old, young = write(open_conversation()), write(open_conversation())
    called_minutes_ago(11, old)
    called_minutes_ago(9, young)
    assert (sent(old).delivery, sent(young).delivery) == ("unknown", "sending")
    assert old.error_reason == "It may have reached the contact."
    assert meta.calls == []


@pytest.mark.django_db
def test_a_call_that_never_came_back_holds_up_its_conversation_for_a_minute_and_no_longer(meta):
    conversation = open_conversation()
    lost, after = write(conversation), write(conversation)
    called_minutes_ago(0.9, lost)
    assert sent(after).delivery == "sending"
    called_minutes_ago(1, lost)
    assert sent(after).delivery == "accepted"


@pytest.mark.django_db
def test_no_outcome_is_given_up_while_webhooks_wait_to_be_read_for_up_to_an_hour(meta):
    message = write(open_conversation())
    deliveries.store(message.channel, b"{}", now=NOW)
    called_minutes_ago(59, message)
    assert sent(message).delivery == "sending"
    called_minutes_ago(61, message)
    assert sent(message).delivery == "unknown"


def called_minutes_ago(minutes: float, message: Message) -> None:
    """By a worker of which nobody has heard since."""
    at = database_now() - dt.timedelta(minutes=minutes)
    QueuedMessage.objects.filter(pk=message.pk).update(requested_at=at, claim_token=uuid.uuid4())
