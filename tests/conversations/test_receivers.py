from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from conversations import recording, tasks
from conversations.models import Contact, Conversation, EarlyStatus, Message
from conversations.signals import contact_opted_out, message_status_changed, messages_received
from tests import factories
from trochai.clock import database_now
from trochai.whatsapp import signals
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.webhooks.parsing import InboundMessage, MarketingPreference, MessageStatus

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


def inbound(channel: Channel, **changes: Any) -> None:
    event = {
        "id": "wamid.IN1",
        "from_phone": "+50688881234",
        "from_user_id": "",
        "profile_name": "María Jiménez",
        "at": NOW,
        "kind": "text",
        "text": "¿Sigue disponible?",
        "content": {},
        **changes,
    }
    signals.inbound_message.send(sender=None, channel=channel, event=InboundMessage(**event))


def status(channel: Channel, whatsapp_id: str, name: str, **changes: Any) -> None:
    event = {
        "id": whatsapp_id,
        "status": name,
        "at": NOW,
        "reference": "",
        "failure": Failure(),
        **changes,
    }
    signals.message_status.send(sender=None, channel=channel, event=MessageStatus(**event))


@pytest.fixture
def heard():
    calls: list[str] = []

    def received(messages: list[Message], **_: Any) -> None:
        calls.extend(f"received {message.text}" for message in messages)

    def changed(message: Message, **_: Any) -> None:
        calls.append(f"{message.delivery} {message.whatsapp_id}")

    def opted_out(contact: Contact, **_: Any) -> None:
        calls.append(f"opted out {contact.phone}")

    messages_received.connect(received)
    message_status_changed.connect(changed)
    contact_opted_out.connect(opted_out)
    yield calls
    messages_received.disconnect(received)
    message_status_changed.disconnect(changed)
    contact_opted_out.disconnect(opted_out)


def test_a_message_from_a_contact_is_announced_once_however_often_meta_delivers_it(team, heard):
    inbound(team.channel)
    inbound(team.channel)
    assert heard == ["received ¿Sigue disponible?"]
    assert Conversation.objects.get(contact__phone="+50688881234").unread_count == 1


def test_a_system_note_is_nobodys_reply(team, heard):
    inbound(team.channel)
    heard.clear()
    inbound(team.channel, id="wamid.NOTE", kind="system", text="changed the number")
    assert heard == []
    assert Message.objects.latest("pk").kind == "system"


def test_a_status_moves_the_message_it_names(team, heard):
    message = factories.MessageFactory(conversation=team.conversation, whatsapp_id="wamid.A")
    status(team.channel, "wamid.A", "delivered")
    status(team.channel, "wamid.A", "sent")
    message.refresh_from_db()
    assert message.delivery == "delivered"
    assert heard == ["delivered wamid.A"]


def test_the_same_id_on_another_channel_is_another_message(team, stranger):
    message = factories.MessageFactory(conversation=stranger.conversation, whatsapp_id="wamid.A")
    status(team.channel, "wamid.A", "delivered")
    message.refresh_from_db()
    assert message.delivery == "accepted"


def test_a_status_without_its_message_is_kept_once(team, heard):
    for _ in range(2):
        status(team.channel, "wamid.A", "delivered")
    kept = EarlyStatus.objects.get()
    assert (kept.channel, kept.whatsapp_id, kept.status, kept.at) == (
        team.channel,
        "wamid.A",
        "delivered",
        NOW,
    )
    assert heard == []


def test_a_status_of_an_attempt_that_is_not_recorded_is_kept(team):
    attempt = "attempt:0f9c6d2e-4f6e-4f8a-9a55-1f5d4b0c9b11"
    status(team.channel, "wamid.A", "sent", reference=attempt)
    assert EarlyStatus.objects.get().whatsapp_id == "wamid.A"


@pytest.mark.parametrize("before", ["sending", "unknown", "failed"])
def test_a_status_with_the_composers_reference_proves_that_meta_has_the_message(team, before):
    message = factories.MessageFactory(
        conversation=team.conversation, whatsapp_id="", delivery=before, error_code=131000
    )
    status(team.channel, "wamid.A", "delivered", reference=f"message:{message.uuid}")
    message.refresh_from_db()
    assert (message.delivery, message.whatsapp_id, message.error_reason) == ("delivered", "wamid.A", "")
    assert not EarlyStatus.objects.exists()


def test_a_failed_status_with_the_composers_reference_says_why(team):
    message = factories.MessageFactory(conversation=team.conversation, whatsapp_id="", delivery="sending")
    status(
        team.channel,
        "wamid.A",
        "failed",
        reference=f"message:{message.uuid}",
        failure=Failure(131047),
    )
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("failed", 131047)


@pytest.mark.parametrize("reference", ["message:nonsense", "message:", "something else"])
def test_a_reference_that_is_not_ours_is_harmless(team, reference):
    status(team.channel, "wamid.A", "sent", reference=reference)
    assert EarlyStatus.objects.count() == 1


def test_another_organization_cannot_settle_a_message_by_its_reference(team, stranger):
    message = factories.MessageFactory(conversation=team.conversation, whatsapp_id="", delivery="sending")
    status(stranger.channel, "wamid.A", "read", reference=f"message:{message.uuid}")
    message.refresh_from_db()
    assert message.delivery == "sending"


def test_opting_out_is_remembered_and_announced_once_and_can_be_taken_back(team, heard):
    contact = team.conversation.contact

    def prefer(*, opted_out: bool) -> None:
        event = MarketingPreference(phone=contact.phone, user_id="", opted_out=opted_out, at=NOW)
        signals.marketing_preference.send(sender=None, channel=team.channel, event=event)
        contact.refresh_from_db()

    prefer(opted_out=True)
    prefer(opted_out=True)
    assert contact.opted_out_at == NOW
    assert heard == [f"opted out {contact.phone}"]
    prefer(opted_out=False)
    assert contact.opted_out_at is None


def test_a_preference_of_somebody_unknown_is_harmless(team, heard):
    event = MarketingPreference(phone="+50670000000", user_id="", opted_out=True, at=NOW)
    signals.marketing_preference.send(sender=None, channel=team.channel, event=event)
    assert heard == []


def test_a_status_that_crossed_with_the_recording_is_applied_by_the_next_tick(team, heard):
    message = factories.MessageFactory(conversation=team.conversation, whatsapp_id="wamid.A")
    for name in ("delivered", "sent"):
        EarlyStatus.objects.create(channel=team.channel, whatsapp_id="wamid.A", status=name, at=NOW)
    EarlyStatus.objects.create(channel=team.channel, whatsapp_id="wamid.B", status="sent", at=NOW)
    tasks.apply_early_statuses()
    message.refresh_from_db()
    assert message.delivery == "delivered"
    assert heard == ["delivered wamid.A"]
    assert EarlyStatus.objects.get().whatsapp_id == "wamid.B"


def test_statuses_of_messages_that_never_appeared_are_forgotten_after_30_days(team):
    now = database_now()
    for name, age in (("sent", 29), ("read", 31)):
        EarlyStatus.objects.create(
            channel=team.channel,
            whatsapp_id="wamid.A",
            status=name,
            at=NOW,
            received_at=now - dt.timedelta(days=age),
        )
    tasks.purge_early_statuses()
    assert EarlyStatus.objects.get().status == "sent"


def test_one_early_status_that_breaks_does_not_hold_up_the_others(team):
    broken, fine = factories.MessageFactory(channel=team.channel), factories.MessageFactory()
    for message in (broken, fine):
        EarlyStatus.objects.create(
            channel=message.channel, whatsapp_id=message.whatsapp_id, status="delivered", at=NOW
        )

    def break_one(message: Message, **_: Any) -> None:
        if message.pk == broken.pk:
            raise RuntimeError("a bug")

    message_status_changed.connect(break_one)
    try:
        tasks.apply_early_statuses()
    finally:
        message_status_changed.disconnect(break_one)
    assert Message.objects.get(pk=fine.pk).delivery == "delivered"
    assert EarlyStatus.objects.get().whatsapp_id == broken.whatsapp_id


def preference(channel: Channel, contact: Contact, *, opted_out: bool, at: dt.datetime) -> None:
    event = MarketingPreference(phone=contact.phone, user_id="", opted_out=opted_out, at=at)
    signals.marketing_preference.send(sender=None, channel=channel, event=event)


@pytest.mark.parametrize("last_word", [True, False], ids=["stop", "resume"])
def test_a_preference_that_meta_repeats_late_does_not_overrule_the_contacts_last_word(team, last_word):
    contact = team.conversation.contact
    preference(team.channel, contact, opted_out=not last_word, at=NOW)
    preference(team.channel, contact, opted_out=last_word, at=NOW + dt.timedelta(hours=1))
    preference(team.channel, contact, opted_out=not last_word, at=NOW)
    contact.refresh_from_db()
    assert contact.is_opted_out is last_word


@pytest.mark.parametrize("is_early", [False, True], ids=["later", "before the message was recorded"])
def test_a_message_that_failed_because_the_contact_opted_out_says_so(team, heard, is_early):
    message = factories.MessageFactory(conversation=team.conversation)
    opt_out = Failure(131050)
    if is_early:
        EarlyStatus.objects.create(
            channel=team.channel,
            whatsapp_id=message.whatsapp_id,
            status="failed",
            at=NOW,
            **opt_out.columns("error"),
        )
        recording.apply_early_statuses(message)
    else:
        status(team.channel, message.whatsapp_id, "failed", failure=opt_out)
    contact = team.conversation.contact
    contact.refresh_from_db()
    assert contact.opted_out_at == NOW
    assert f"opted out {contact.phone}" in heard


@pytest.mark.parametrize(
    ("code", "minutes_ago", "stopped"), [(131042, 1, True), (131042, 30, False), (131026, 1, False)]
)
def test_a_late_failure_that_concerns_the_whole_number_stops_it(team, code, minutes_ago, stopped):
    message = factories.MessageFactory(conversation=team.conversation)
    at = timezone.now() - dt.timedelta(minutes=minutes_ago)
    status(
        team.channel,
        message.whatsapp_id,
        "failed",
        at=at,
        failure=Failure(code),
    )
    team.channel.refresh_from_db()
    assert team.channel.is_stopped is stopped
    assert ("Meta reports a billing problem." in team.channel.stop_reason) is stopped
