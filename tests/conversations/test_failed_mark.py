"""The mark in the inbox list beside a conversation whose last message was not sent."""

from __future__ import annotations

import datetime as dt
import uuid
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from conversations import merging, outbox
from conversations.models import Conversation, Message
from conversations.sending import queue
from tests import factories
from tests.conftest import Team, signed_in
from tests.conversations.replies import sent
from tests.html import html_of
from tests.meta import Meta
from tests.webhooks.meta import PERSON, post, say

UNDELIVERABLE = 131026
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def team(team: Team) -> Team:
    """With a contact who has just written."""
    Conversation.objects.update(
        last_inbound_at=timezone.now() - MINUTE, last_message_at=timezone.now() - MINUTE
    )
    team.conversation.refresh_from_db()
    team.conversation.contact.phone = f"+{PERSON}"
    team.conversation.contact.save()
    return team


def is_marked(team: Team) -> bool:
    return 'aria-label="Not sent"' in html_of(signed_in(team.viewer).get("/inbox/"))


def reply(team: Team, text: str = "Con gusto") -> Message:
    now = timezone.now()
    conversation = Conversation.objects.get(pk=team.conversation.pk)
    return outbox.send_reply(conversation=conversation, text=text, by=team.agent.user, now=now)


def tell(team: Team, message: Message, status: str, **more: object) -> None:
    """Have Meta tell what became of the message."""
    told = {
        "id": message.whatsapp_id or f"wamid.{message.uuid}",
        "status": status,
        "timestamp": str(int(timezone.now().timestamp())),
        "recipient_id": PERSON,
        "biz_opaque_callback_data": f"message:{message.uuid}",
        **more,
    }
    post(team.channel, statuses=[told])


def fail_later(team: Team, message: Message) -> None:
    tell(team, message, "failed", errors=[{"code": UNDELIVERABLE, "title": "Undeliverable"}])


def test_what_meta_refuses_is_marked_until_something_is_said(team, meta: Meta):
    meta.answer(UNDELIVERABLE)
    failed = sent(reply(team))
    assert is_marked(team)
    again = outbox.retry_reply(failed, by=team.agent.user, now=timezone.now())
    assert not is_marked(team)
    assert sent(again).delivery == "accepted"
    assert not is_marked(team)


def test_what_no_worker_began_with_in_time_is_marked(team):
    reply(team)
    queue.tidy_up(now=timezone.now() + 3 * MINUTE)
    assert is_marked(team)


def test_what_meta_took_and_could_not_deliver_is_marked_until_the_contact_writes(team, meta: Meta):
    message = sent(reply(team))
    fail_later(team, message)
    assert is_marked(team)
    later = int((timezone.now() + MINUTE).timestamp())
    say(team.channel, node={"body": "¿Hola?"}, timestamp=str(later))
    assert not is_marked(team)


def test_a_proof_that_it_was_sent_after_all_takes_the_mark_away(team, meta: Meta):
    message = reply(team)
    queue.tidy_up(now=timezone.now() + 3 * MINUTE)
    tell(team, message, "sent")
    assert not is_marked(team)


def test_an_earlier_message_that_fails_is_no_matter_of_the_last(team, meta: Meta):
    earlier = sent(reply(team, "Uno"))
    Message.objects.filter(pk=earlier.pk).update(at=timezone.now() - MINUTE)
    sent(reply(team, "Dos"))
    fail_later(team, earlier)
    assert not is_marked(team)


def test_a_template_of_which_nobody_knows_is_not_marked(team):
    outbox.send_template(
        conversation=team.conversation,
        template=team.template,
        values=dict.fromkeys(team.template.shape, "x"),
        by=team.agent.user,
        now=timezone.now(),
        uuid=uuid.uuid4(),
    )
    Message.objects.update(delivery="unknown")
    assert not is_marked(team)


@pytest.mark.parametrize("is_later", [True, False])
def test_of_two_that_become_one_the_later_is_shown(team, meta: Meta, is_later: bool):
    other = factories.ConversationFactory(
        organization=team.organization,
        channel=team.channel,
        last_message_at=timezone.now() + (-MINUTE if is_later else MINUTE),
        preview="Hola",
    )
    meta.answer(UNDELIVERABLE)
    sent(reply(team))
    merging.merge(other.contact, team.conversation.contact, now=timezone.now())
    assert is_marked(team) is is_later


def test_rows_of_before_are_marked_by_the_update(team, meta: Meta):
    meta.answer(UNDELIVERABLE)
    sent(reply(team))
    Conversation.objects.update(last_has_failed=False)
    import_module("conversations.migrations.0020_marks").say_what_failed(apps, None)
    assert is_marked(team)
