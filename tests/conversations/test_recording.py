from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from conversations import recording
from conversations.bulk_recording import record_templates
from conversations.models import Contact, Conversation, Delivery, EarlyStatus, Message
from conversations.signals import contact_changed, message_status_changed
from tests import factories
from trochai.whatsapp.cloud_api.failures import Failure

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def content(body: str = "Hola María,\n\nle recordamos su visita.") -> dict[str, Any]:
    """Return a message as ``RenderedTemplate.as_dict`` has it."""
    return {"header": "Su visita", "header_media": None, "body": body, "footer": "", "buttons": []}


@dataclass
class Inbound:
    """What trochai.whatsapp.webhooks.parsing.InboundMessage holds."""

    id: str = "wamid.IN1"
    from_phone: str = "+50688881234"
    from_user_id: str = ""
    parent_user_id: str = ""
    username: str = ""
    profile_name: str = "María Jiménez"
    at: dt.datetime = NOW
    kind: str = "text"
    text: str = "¿Sigue disponible?"
    content: dict[str, Any] = field(default_factory=dict)
    given_phone: str = ""


def record(conversation: Conversation, **changes: Any) -> Message:
    given = {
        "content": content(),
        "template_name": "visit_reminder",
        "language": "es",
        "whatsapp_id": "wamid.OUT1",
        "sent_by_id": None,
    }
    moment = {name: changes.pop(name) for name in ("at", "delivery") if name in changes}
    record = recording.TemplateRecord(conversation=conversation, **{**given, **changes})
    return recording.record_template(record, **{"at": NOW, **moment})


@pytest.fixture
def heard():
    """Names of the signals that were sent, with their messages or contacts."""
    calls: list[tuple[str, Any]] = []

    def status(message: Message, **_: Any) -> None:
        calls.append(("status", message.delivery))

    def changed(contact: Contact, **_: Any) -> None:
        calls.append(("contact", contact.name))

    message_status_changed.connect(status)
    contact_changed.connect(changed)
    yield calls
    message_status_changed.disconnect(status)
    contact_changed.disconnect(changed)


def test_a_template_message_stands_in_the_history_and_moves_the_conversation(team):
    attempt = uuid4()
    message = record(team.conversation, sent_by_id=team.agent.user_id, attempt=attempt)
    message.refresh_from_db()
    assert (message.kind, message.text, message.content["header"]) == (
        "template",
        "Su visita\nHola María,\n\nle recordamos su visita.",
        "Su visita",
    )
    assert (message.delivery, message.whatsapp_id, message.is_from_follow_up) == (
        "accepted",
        "wamid.OUT1",
        True,
    )
    team.conversation.refresh_from_db()
    assert team.conversation.last_message_at == team.conversation.last_outbound_at == NOW
    assert team.conversation.preview == "Hola María, le recordamos su visita."
    assert team.conversation.preview_is_outbound
    assert team.conversation.preview_kind == "template"


def test_the_same_attempt_is_recorded_once(team):
    attempt = uuid4()
    record(team.conversation, attempt=attempt)
    with pytest.raises(IntegrityError), transaction.atomic():
        record(team.conversation, attempt=attempt, whatsapp_id="wamid.OUT2")


def test_an_older_message_does_not_overwrite_the_summary_of_a_later_one(team):
    record(team.conversation, at=NOW, content=content("later"))
    record(team.conversation, at=NOW - MINUTE, content=content("earlier"), whatsapp_id="wamid.OUT0")
    team.conversation.refresh_from_db()
    assert (team.conversation.preview, team.conversation.last_message_at) == ("later", NOW)
    assert team.conversation.last_outbound_at == NOW


def test_statuses_that_came_early_are_applied_when_the_message_is_recorded(team, stranger, heard):
    for channel, status in ((team.channel, "read"), (team.channel, "sent"), (stranger.channel, "failed")):
        EarlyStatus.objects.create(channel=channel, whatsapp_id="wamid.OUT1", status=status, at=NOW)
    assert record(team.conversation).delivery == "read"
    assert Message.objects.get().delivery == "read"
    assert EarlyStatus.objects.get().channel == stranger.channel
    assert heard == []  # whoever records it sees in its delivery what came


def test_a_failure_that_came_early_keeps_its_reason(team):
    EarlyStatus.objects.create(
        channel=team.channel,
        whatsapp_id="wamid.OUT1",
        status="failed",
        at=NOW,
        error_code=131026,
    )
    message = record(team.conversation)
    message.refresh_from_db()
    assert (message.delivery, message.error_code, message.error_reason) == (
        "failed",
        131026,
        Failure(131026).words(),
    )


ORDER = ["sending", "unknown", "accepted", "sent", "delivered", "read", "played"]


@pytest.mark.parametrize("before", ORDER)
@pytest.mark.parametrize("after", ORDER[2:])
@pytest.mark.django_db
def test_a_delivery_status_never_goes_backwards(before, after, heard):
    message = factories.MessageFactory(delivery=before)
    moved = recording.advance(message, status=after, at=NOW)
    forward = ORDER.index(after) > ORDER.index(before)
    message.refresh_from_db()
    assert moved is forward
    assert message.delivery == (after if forward else before)
    assert heard == ([("status", after)] if forward else [])


@pytest.mark.parametrize("before", [*ORDER, "failed"])
@pytest.mark.django_db
def test_a_failure_is_final_and_comes_only_before_delivery(before):
    message = factories.MessageFactory(delivery=before)
    moved = recording.advance(message, status="failed", at=NOW, failure=Failure(131047))
    assert moved is (before in {"sending", "unknown", "accepted", "sent"})
    if moved:
        assert not recording.advance(message, status="delivered", at=NOW)
        message.refresh_from_db()
        assert (message.delivery, message.error_code) == ("failed", 131047)


def test_a_stale_copy_of_a_message_cannot_undo_what_another_webhook_wrote(team):
    message = factories.MessageFactory(conversation=team.conversation)
    stale = Message.objects.get(pk=message.pk)
    assert recording.advance(message, status="read", at=NOW)
    assert not recording.advance(stale, status="delivered", at=NOW)
    assert Message.objects.get(pk=message.pk).delivery == "read"


def test_a_status_nobody_knows_yet_is_ignored(team):
    message = factories.MessageFactory(conversation=team.conversation)
    assert not recording.advance(message, status="levitated", at=NOW)


def test_a_first_message_makes_contact_and_conversation(team):
    message = recording.record_inbound(channel=team.channel, event=Inbound(), now=NOW)
    conversation = message.conversation
    conversation.refresh_from_db()
    assert (conversation.contact.name, conversation.contact.phone) == ("María Jiménez", "+50688881234")
    assert conversation.organization == team.organization
    assert (conversation.unread_count, conversation.preview) == (1, "¿Sigue disponible?")
    assert conversation.last_inbound_at == conversation.last_message_at == NOW
    assert not conversation.preview_is_outbound
    assert conversation.last_outbound_at is None


def test_the_same_message_again_is_not_recorded_again(team):
    assert recording.record_inbound(channel=team.channel, event=Inbound(), now=NOW)
    assert recording.record_inbound(channel=team.channel, event=Inbound(), now=NOW) is None
    assert Conversation.objects.get(contact__phone="+50688881234").unread_count == 1


def test_a_message_that_arrives_late_counts_as_unread_but_stays_behind_the_newer_one(team):
    recording.record_inbound(channel=team.channel, event=Inbound(text="newer"), now=NOW)
    late = Inbound(id="wamid.IN0", text="older", at=NOW - MINUTE)
    conversation = recording.record_inbound(channel=team.channel, event=late, now=NOW).conversation
    conversation.refresh_from_db()
    assert (conversation.unread_count, conversation.preview) == (2, "newer")
    assert conversation.last_inbound_at == NOW


def test_a_closed_conversation_opens_again_when_the_contact_writes(team):
    team.conversation.status = "closed"
    team.conversation.save()
    recording.record_inbound(
        channel=team.channel, event=Inbound(from_phone=team.conversation.contact.phone), now=NOW
    )
    team.conversation.refresh_from_db()
    assert team.conversation.status == "open"


def test_a_system_note_is_recorded_without_opening_the_window(team):
    event = Inbound(kind="system", text="María changed her number")
    conversation = recording.record_inbound(channel=team.channel, event=event, now=NOW).conversation
    conversation.refresh_from_db()
    assert (conversation.unread_count, conversation.last_inbound_at) == (0, None)
    assert conversation.preview == "María changed her number"


def test_a_photo_without_words_has_a_preview(team):
    conversation = recording.record_inbound(
        channel=team.channel, event=Inbound(kind="image", text=""), now=NOW
    ).conversation
    conversation.refresh_from_db()
    assert (conversation.preview, conversation.preview_words) == ("", "Photo")


def test_number_and_user_id_become_one_contact(team, heard):
    def write(number: int, **event: str) -> Contact:
        message = recording.record_inbound(
            channel=team.channel, event=Inbound(id=f"wamid.{number}", **event), now=NOW
        )
        return message.conversation.contact

    first = write(1, from_phone="", from_user_id="CR.123", profile_name="")
    assert first.recipient_on(team.channel) == {"recipient": "CR.123"}
    both = write(2, from_user_id="CR.123")
    assert (both.pk, both.phone, both.name) == (first.pk, "+50688881234", "María Jiménez")
    assert write(3, from_phone="", from_user_id="CR.123").pk == first.pk
    assert heard == [("contact", "María Jiménez")]


def test_a_name_that_a_person_set_is_not_overwritten(team):
    contact = factories.ContactFactory(organization=team.organization, name="María J. (Escazú)")
    recording.record_inbound(channel=team.channel, event=Inbound(from_phone=contact.phone), now=NOW)
    contact.refresh_from_db()
    assert contact.name == "María J. (Escazú)"


def test_the_same_number_in_another_organization_is_another_contact(team, stranger):
    for channel in (team.channel, stranger.channel):
        recording.record_inbound(channel=channel, event=Inbound(), now=NOW)
    assert Contact.objects.filter(phone="+50688881234").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_webhooks_at_once_make_one_contact_one_conversation_and_lose_no_message():
    channel = factories.ChannelFactory()
    start = threading.Barrier(6)
    results: list[bool] = []

    def deliver(whatsapp_id: str) -> None:
        try:
            start.wait()
            with transaction.atomic():
                event = Inbound(id=whatsapp_id, from_user_id="CR.9")
                results.append(recording.record_inbound(channel=channel, event=event, now=NOW) is not None)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver, args=(f"wamid.{number}",)) for number in (1, 1, 2, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    conversation = Conversation.objects.get()
    assert (Contact.objects.count(), conversation.messages.count(), conversation.unread_count) == (1, 4, 4)
    assert sorted(results) == [False, False, True, True, True, True]


@pytest.mark.django_db(transaction=True)
def test_concurrent_statuses_of_one_message_end_at_the_furthest():
    message = factories.MessageFactory(delivery=Delivery.ACCEPTED)
    start = threading.Barrier(3)

    def deliver(status: str) -> None:
        try:
            copy = Message.objects.get(pk=message.pk)
            start.wait()
            with transaction.atomic():
                recording.advance(copy, status=status, at=NOW)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver, args=(status,)) for status in ("sent", "delivered", "read")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    message.refresh_from_db()
    assert message.delivery == "read"


def test_a_long_name_stands_for_an_empty_text_as_far_as_the_column_holds_it(team):
    message = record(team.conversation, content=content(""), template_name="n" * 512)
    team.conversation.refresh_from_db()
    assert (team.conversation.preview, message.template_name) == ("n" * 200, "n" * 512)


def found(text: str) -> list[str]:
    return [str(conversation.contact) for conversation in Conversation.objects.search(text)]


def receive(team, number: int, **event: str) -> None:
    recording.record_inbound(channel=team.channel, event=Inbound(id=f"wamid.{number}", **event), now=NOW)


def test_whoever_gets_a_user_id_is_found_by_it_and_the_apps_above_hear_of_it(team, heard):
    contact = team.conversation.contact
    receive(team, 1, from_phone=contact.phone, from_user_id="CR.1A2b3C")
    receive(team, 2, from_phone=contact.phone, from_user_id="CR.1A2b3C")
    assert heard == [("contact", contact.name)]
    assert found("cr.1a2b") == [contact.name]


def test_a_user_id_that_another_contact_holds_is_no_news(team, heard):
    other = factories.ContactFactory(organization=team.organization, phone="+50670001122")
    factories.IdentityFactory(contact=other, channel=team.channel, user_id="CR.1")
    receive(team, 1, from_phone=team.conversation.contact.phone, from_user_id="CR.1")
    assert heard == []
    assert found("cr.1") == []


def test_a_conversation_is_found_by_its_last_message_and_by_what_its_contact_is_called_now(team):
    factories.ContactFactory(organization=team.organization, name="", phone="+50671112222")
    receive(team, 1, from_phone="+50671112222", profile_name="", text="El  lote en Grecia")
    receive(team, 2, from_phone="+50671112222", profile_name="Zoë Nuñez", text="¿Mañana a las 3.30?")
    assert found("zoe nunez") == found("MANANA a las 3") == found("7111 2222") == ["Zoë Nuñez"]
    assert found("lote en grecia") == []


def test_a_late_message_leaves_the_search_to_the_last_one_and_still_learns_the_name(team):
    factories.ContactFactory(organization=team.organization, name="", phone="+50671112222")
    receive(team, 1, from_phone="+50671112222", profile_name="", text="newer")
    late = Inbound(
        id="wamid.2",
        from_phone="+50671112222",
        profile_name="Zoë",
        text="late",
        at=NOW - dt.timedelta(hours=1),
    )
    recording.record_inbound(channel=team.channel, event=late, now=NOW)
    assert found("zoe") == found("newer") == ["Zoë"]
    assert found("late") == []


def test_a_burst_of_templates_is_found_by_the_text_that_was_sent(team):
    given = recording.TemplateRecord(
        conversation=team.conversation,
        content=content("Su visita a Casa Jiménez"),
        template_name="visit_reminder",
        language="es",
        whatsapp_id="wamid.OUT1",
        sent_by_id=None,
        attempt=uuid4(),
    )
    record_templates([given], at=NOW)
    assert found("casa jimenez") == found(team.conversation.contact.phone) == [str(team.conversation)]
