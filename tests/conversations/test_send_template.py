"""A template that somebody sends from a conversation, now: the dialog, the message, what becomes of it."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from conversations import outbox
from conversations.models import Message
from conversations.tasks import send_replies
from tests import factories
from tests.conftest import Team, signed_in
from tests.conversations.replies import sent
from tests.html import html_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
VALUES = {"body.1": "Sofía", "body.2": "Casa EC-310", "body.3": "lunes 30"}
FIELDS = {"p-body-1": "Sofía", "p-body-2": "Casa EC-310", "p-body-3": "lunes 30"}


def address(team: Team) -> str:
    return reverse("conversations:send_template", args=[team.conversation.pk])


def post(team: Team, *, by: str = "agent", htmx: bool = True, **changes: Any) -> HttpResponse:
    data = {"template": team.template.pk, "submission": uuid.uuid4(), **FIELDS, **changes}
    return signed_in(team.member(by)).post(address(team), data, headers=HTMX if htmx else {})


def write(team: Team, **changes: Any) -> Message:
    given = {"template": team.template, "values": VALUES, "uuid": uuid.uuid4(), **changes}
    return outbox.send_template(
        conversation=team.conversation, by=team.agent.user, now=timezone.now(), **given
    )


def test_it_goes_out_at_once_where_the_window_is_closed_and_stands_in_the_conversation(team, meta):
    response = post(team)
    assert response.status_code == 204
    assert set(re.findall(r"[\w]+:[\w]+", response["HX-Trigger"])) >= {"dialog:close", "inbox:changed"}
    send_replies()
    (call,) = meta.requests
    assert call["to"] == team.conversation.contact.phone
    assert call["template"]["name"] == "visit_reminder"
    (body,) = call["template"]["components"]
    assert [each["text"] for each in body["parameters"]] == ["Sofía", "Casa EC-310", "lunes 30"]
    message = Message.objects.get()
    assert call["biz_opaque_callback_data"] == f"message:{message.uuid}"
    assert (message.kind, message.delivery, message.sent_by) == ("template", "accepted", team.agent.user)
    page = signed_in(team.agent).get(reverse("conversations:conversation", args=[team.conversation.pk]))
    html = page.content.decode()
    assert "Hola Sofía, le recordamos su visita a Casa EC-310" in html
    assert 'aria-label="Template"' in html
    assert "Sent by follow-up" not in html


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        ("+50688881234", "It’s 9:15 AM there."),
        ("+919812345678", "It’s 8:45 PM there."),
        # Mainland and the Canary Islands.
        ("+34612345678", "It’s 3:15 PM or 4:15 PM there."),
        # From coast to coast: nobody knows.
        ("+18005551234", ""),
        ("", ""),
    ],
)
def test_it_says_how_late_it_is_where_the_contact_is(team, time_machine, phone, words):
    time_machine.move_to(dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC), tick=False)
    team.conversation.contact.phone, team.conversation.contact.user_ids = phone, "CR.1"
    team.conversation.contact.save()
    dialog = html_of(signed_in(team.agent).get(address(team), headers=HTMX))
    assert "Will be sent to" in dialog
    assert "there." in dialog if words else "It’s" not in dialog
    assert words in " ".join(dialog.split())


def test_the_same_submission_twice_is_one_message_and_another_text_asks_first(team, meta):
    submission = uuid.uuid4()
    assert post(team, submission=submission).status_code == 204
    assert post(team, submission=submission).status_code == 204
    changed = post(team, submission=submission, **{"p-body-2": "Casa EC-999"})
    assert changed.status_code == 422
    assert "This form has already sent a message" in changed.content.decode()
    assert str(submission) not in changed.content.decode()
    send_replies()
    assert len(meta.requests) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"template": ""}, "Choose a template."),
        ({"template": "999999"}, "This template can’t be sent from here"),
        ({"p-body-2": ""}, "Fill this in."),
        ({"p-body-2": "two\nlines"}, "on one line"),
        ({"submission": "nonsense"}, "damaged on the way"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_written(team, changes, words):
    response = post(team, **changes)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Message.objects.exists()


def test_without_scripts_the_page_does_the_same(team, meta):
    agent = signed_in(team.agent)
    other = factories.TemplateFactory(channel=team.channel, name="payment_reminder")
    page = agent.get(address(team)).content.decode()
    assert "<h1" in page
    assert page.count('name="template"') == 2
    chosen = agent.post(address(team), {"choose": 1, "template": other.pk, "p-body-1": "kept from another"})
    assert 'name="p-body-2"' in chosen.content.decode()
    assert "kept from another" not in chosen.content.decode()
    response = post(team, htmx=False)
    assert response["Location"] == reverse("conversations:conversation", args=[team.conversation.pk])
    assert sent(Message.objects.get()).delivery == "accepted"


def test_scheduling_instead_takes_template_and_values_along(team):
    factories.TemplateFactory(channel=team.channel, name="payment_reminder")
    query = {"template": team.template.pk, **FIELDS}
    address = reverse("followups:schedule", args=[team.conversation.pk])
    html = signed_in(team.agent).get(address, query, headers=HTMX).content.decode()
    assert "Schedule a follow-up" in html
    assert 'value="Casa EC-310"' in html


def test_only_those_who_may_write_and_only_to_their_own_contacts(team, stranger):
    assert post(team, by="viewer").status_code == 403
    assert signed_in(stranger.agent).get(address(team)).status_code == 404
    theirs = post(team, template=stranger.template.pk)
    assert "can’t be sent from here" in theirs.content.decode()
    assert not Message.objects.exists()


def test_who_wants_no_messages_is_sent_none(team, meta):
    message = write(team)
    contact = team.conversation.contact
    contact.opted_out_at = timezone.now()
    contact.save()
    assert "doesn’t want messages" in post(team).content.decode()
    with pytest.raises(outbox.WantsNoMessages):
        write(team)
    failed = sent(message)
    assert (failed.delivery, failed.error_cause) == ("failed", "opted_out_since")
    assert meta.requests == []


def test_a_contact_in_doubt_or_without_an_address_is_sent_none(team):
    contact = team.conversation.contact
    contact.in_doubt_since = timezone.now()
    contact.save()
    assert "may have another number now" in post(team).content.decode()
    contact.in_doubt_since, contact.phone, contact.user_ids = None, "", "CR.1"
    contact.save()
    with pytest.raises(outbox.Unreachable):
        write(team)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"status": "PAUSED"}, "not_approved"),
        ({"components": [{"type": "BODY", "text": "Hola {{1}}"}]}, "changed"),
    ],
)
def test_a_template_that_changes_before_the_call_is_not_sent_with_old_values(team, meta, change, cause):
    message = write(team)
    for name, value in change.items():
        setattr(team.template, name, value)
    team.template.save()
    failed = sent(message)
    assert (failed.delivery, failed.error_cause) == ("failed", cause)
    assert "The template" in failed.error_reason
    assert meta.requests == []


def test_one_that_failed_is_sent_again_as_it_was_on_a_persons_word(team, meta):
    meta.answer(131000)
    failed = sent(write(team))
    assert failed.delivery == "failed"
    page = reverse("conversations:conversation", args=[team.conversation.pk])
    retry = reverse("conversations:retry", args=[failed.pk])
    agent = signed_in(team.agent)
    assert retry in agent.get(page).content.decode()
    agent.post(retry)
    agent.post(retry)
    send_replies()
    first, second = meta.requests
    assert first["template"] == second["template"]


def test_one_whose_outcome_nobody_saw_is_unknown_and_needs_a_word_more(team, meta):
    meta.answer((200, "<html>"))
    message = sent(write(team))
    assert message.delivery == "unknown"
    again = {"by": team.agent.user, "now": timezone.now()}
    with pytest.raises(outbox.MayHaveArrived):
        outbox.retry_reply(message, **again)
    assert sent(outbox.retry_reply(message, anyway=True, **again)).delivery == "accepted"


def test_metas_word_that_the_contact_stopped_it_is_kept(team, meta):
    meta.answer(131050)
    assert sent(write(team)).delivery == "failed"
    team.conversation.contact.refresh_from_db()
    assert team.conversation.contact.is_opted_out
