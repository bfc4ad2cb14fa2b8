"""Erasing a contact: who it was and what was said is gone, that something was sent stays counted."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from conversations import recording
from conversations.models import (
    Alias,
    Attachment,
    Contact,
    Conversation,
    Identity,
    Message,
    QueuedMessage,
    Upload,
)
from conversations.tasks import forget_erased
from followups.models import FollowUp, FollowUpAttempt, FollowUpChange
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.whatsapp.signals import inbound_message
from trochai.whatsapp.webhooks.parsing import InboundMessage

NAME = "María Jiménez"
SECRETS = ("Jiménez", "wamid.", "88881234", "8888 1234", "CR.77", "Barrio Escalante", "Casa EC-204")


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def talk(team):
    """The team's conversation with somebody of whom everything is known."""
    conversation, contact = team.conversation, team.conversation.contact
    contact.phone, contact.profile_name, contact.user_ids = "+50688881234", NAME, "CR.77"
    contact.save()
    factories.IdentityFactory(contact=contact, channel=team.channel, user_id="CR.77")
    Alias.objects.create(organization=team.organization, name="+50611111111", stands_for=contact.phone)
    conversation.preview = "Barrio Escalante"
    conversation.last_inbound_at = timezone.now()
    conversation.save()
    conversation.tags.add(factories.TagFactory(organization=team.organization))
    factories.MessageFactory(conversation=conversation, direction="in", text="Barrio Escalante")
    picture = factories.MessageFactory(conversation=conversation, direction="in", kind="image")
    file = Attachment(message=picture, media_id="1", state="ready")
    file.file.save("", ContentFile(b"Barrio Escalante"), save=False)
    file.save()
    upload = Upload(conversation=conversation, by=team.agent.user, kind="image", name="Jiménez.jpg")
    upload.file.save("", ContentFile(b"Barrio Escalante"), save=False)
    upload.save()
    factories.NotificationFactory(
        organization=team.organization,
        recipient=team.agent.user,
        values={"contact": NAME, "template": "x"},
        url=reverse("conversations:conversation", args=[conversation.pk]),
    )
    return conversation


def follow_up(team, status, **columns):
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        status=status,
        note="Barrio Escalante",
        parameters={"body:1": NAME, "body:2": "Casa EC-204", "body:3": "hoy"},
        **columns,
    )


def erase(member, conversation, typed=NAME, **options):
    return signed_in(member).post(f"/inbox/{conversation.pk}/erase/", {"typed": typed}, **options)


def everything_stored():
    """Return all that the database keeps of conversations, follow-ups and notices, as one text."""
    models = (Contact, Identity, Alias, Conversation, Message, Attachment, Upload, QueuedMessage)
    rows = [
        row
        for model in (*models, FollowUp, FollowUpAttempt, FollowUpChange, Notification)
        for row in model.objects.values()
    ]
    return repr(rows)


def test_nothing_of_them_is_left(team, talk, media, django_capture_on_commit_callbacks):
    edited = follow_up(team, "pending")
    before_and_after = {"from": {"note": "Barrio Escalante"}, "to": {"parameters": {"body:1": NAME}}}
    factories.ChangeFactory(follow_up=edited, kind="edited", values=before_and_after)
    follow_up(team, "sent")
    assert any(each in everything_stored() for each in SECRETS)
    with django_capture_on_commit_callbacks(execute=True):
        assert erase(team.admin, talk).status_code == 302
        forget_erased()
    stored = everything_stored()
    assert [each for each in SECRETS if each in stored] == []
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_what_waits_is_canceled_and_what_was_sent_stays_counted(team, talk):
    waiting, sent = follow_up(team, "pending"), follow_up(team, "sent")
    erase(team.admin, talk)
    forget_erased()
    assert FollowUp.objects.get(pk=waiting.pk).status == "canceled"
    assert FollowUp.objects.get(pk=sent.pk).status == "sent"
    for row in (waiting, sent):
        page = signed_in(team.admin).get(f"/followups/{row.pk}/")
        assert page.status_code == 200
        assert "Erased contact" in html_of(page)
        assert "Open conversation" not in html_of(page)


def test_nobody_sees_the_conversation_any_more(team, talk):
    answer = erase(team.admin, talk, follow=True)
    html = html_of(answer)
    assert "Contact erased" in html
    assert f'id="row-{talk.pk}"' not in html
    for address in (f"/inbox/{talk.pk}/", f"/inbox/{talk.pk}/erase/", f"/inbox/{talk.pk}/?sheet=contact"):
        assert signed_in(team.admin).get(address).status_code == 404
    found = signed_in(team.admin).get("/inbox/go/?q=escalante", headers={"HX-Request": "true"})
    assert f"/inbox/{talk.pk}/" not in html_of(found)


def test_a_page_on_which_it_is_open_leaves_it(team, talk):
    erase(team.admin, talk)
    answer = signed_in(team.agent).get("/inbox/poll/", {"open": talk.pk}, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/inbox/"


def test_who_writes_again_is_somebody_new(team, talk):
    erase(team.admin, talk)
    again = Contact.objects.create(organization=team.organization, phone="+50688881234", name="María")
    assert again.pk != talk.contact_id


def said(channel, text, **event):
    told = {
        "id": "wamid.AGAIN",
        "from_phone": "",
        "from_user_id": "",
        "profile_name": "",
        "at": timezone.now(),
        "kind": "text",
        "text": text,
        "content": {},
        **event,
    }
    inbound_message.send(sender=None, channel=channel, event=InboundMessage(**told))


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_who_answers_what_was_sent_before_is_somebody_new_as_well(team, talk, is_forgotten):
    sent = follow_up(team, "sent").message
    erase(team.admin, talk)
    if is_forgotten:
        forget_erased()
    context = {"context": {"id": sent.whatsapp_id}}
    said(team.channel, "Sí, confirmo", from_user_id="CR.99", content=context)
    new = Conversation.objects.current().get()
    assert new.contact_id != talk.contact_id
    assert [each.text for each in new.messages.all()] == ["Sí, confirmo"]


def test_what_comes_in_at_the_very_moment_is_read_again(team, talk):
    as_it_was = Contact.objects.get(pk=talk.contact_id)
    erase(team.admin, talk)
    event = InboundMessage(
        id="wamid.LATE",
        from_phone="+50688881234",
        from_user_id="",
        profile_name="",
        at=timezone.now(),
        kind="system",
        text="x",
        content={},
    )
    with pytest.raises(recording.ContactErased), transaction.atomic():
        recording.record_notice(channel=team.channel, contact=as_it_was, event=event, now=timezone.now())
    assert not Message.objects.filter(whatsapp_id="wamid.LATE").exists()


@pytest.mark.parametrize("typed", ["", "María", "Mario Jiménez"])
def test_the_name_has_to_be_typed(team, talk, typed):
    answer = erase(team.admin, talk, typed)
    assert answer.status_code == 422
    assert Contact.objects.get(pk=talk.contact_id).name == NAME


@pytest.mark.parametrize("typed", [NAME, " maria  jimenez "])
def test_accents_and_capitals_do_not_matter(team, talk, typed):
    assert erase(team.admin, talk, typed).status_code == 302


def test_while_something_is_being_sent_it_says_so(team, talk):
    follow_up(team, "processing")
    answer = erase(team.admin, talk)
    assert answer.status_code == 422
    assert "being sent to this contact just now" in html_of(answer)
    assert Contact.objects.get(pk=talk.contact_id).name == NAME


def test_so_it_does_for_a_reply_that_a_worker_has_and_drops_one_that_none_has(team, talk):
    data = {"text": "Barrio Escalante", "uuid": str(uuid.uuid4())}
    signed_in(team.agent).post(f"/inbox/{talk.pk}/reply/", data)
    QueuedMessage.objects.update(
        claim_token=uuid.uuid4(), lease_expires_at=timezone.now() + dt.timedelta(hours=1)
    )
    assert erase(team.admin, talk).status_code == 422
    QueuedMessage.objects.update(claim_token=None, lease_expires_at=None)
    assert erase(team.admin, talk).status_code == 302
    assert not QueuedMessage.objects.exists()


@pytest.mark.parametrize("role", ["agent", "viewer"])
def test_only_admins_erase(team, talk, role):
    assert erase(team.member(role), talk).status_code == 403
    page = html_of(signed_in(team.member(role)).get(f"/inbox/{talk.pk}/?sheet=contact"))
    assert "Erase contact" not in page


def test_what_is_erased_is_deleted_in_parts(team, talk, monkeypatch, django_assert_max_num_queries):
    for _number in range(5):
        factories.MessageFactory(conversation=talk)
    monkeypatch.setattr("conversations.erasure.CHUNK", 2)
    erase(team.admin, talk)
    forget_erased()
    assert not Message.objects.exists()
    with django_assert_max_num_queries(1):
        forget_erased()
