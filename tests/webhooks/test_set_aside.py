"""An event that breaks: the others of its delivery go on; operators see it and have it processed again."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from conversations.models import Message
from tests import factories
from tests.webhooks.meta import PERSON, post
from tests.webhooks.together import store, text
from trochai.clock import database_now
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.signals import inbound_message
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries, parsing

pytestmark = pytest.mark.django_db


@pytest.fixture
def talks(team):
    return [
        factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            last_message_at=timezone.now() - dt.timedelta(days=1),
        )
        for _ in range(5)
    ]


@pytest.fixture
def poisoned(team, talks):
    """A delivery of five events in disorder, one of them twice; the third breaks until it is cured."""
    cured = []

    def refuse(event, **_signal):
        if event.text == "Mensaje 2" and not cured:
            raise RuntimeError

    def refuse_group(channel, events):
        if not cured and any(event.text == "Mensaje 2" for event in events):
            raise RuntimeError
        return together(channel, events)

    kind = deliveries.parsing.InboundMessage
    together = deliveries.taken_together[kind]
    deliveries.taken_together[kind] = refuse_group
    inbound_message.connect(refuse)
    numbers = [3, 0, 2, 4, 1, 0]
    delivery = store(team.channel, [text(talks[number], number) for number in numbers])
    for _ in range(20):
        process_waiting_webhooks()
        WebhookDelivery.objects.filter(processed_at=None).update(next_attempt_at=database_now())
    yield delivery, cured
    inbound_message.disconnect(refuse)
    deliveries.taken_together[kind] = together


def operator(client, **rights):
    person = factories.UserFactory(is_staff=True, **rights)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def replay(client, delivery):
    data = {"action": "replay", "_selected_action": [delivery.pk]}
    return client.post(reverse("admin:whatsapp_webhookdelivery_changelist"), data, follow=True)


def said() -> set[str]:
    return set(Message.objects.filter(direction="in").values_list("text", flat=True))


def test_the_others_are_read_and_what_broke_waits_with_its_error_and_without_its_text(client, poisoned):
    delivery, _cured = poisoned
    assert said() == {f"Mensaje {number}" for number in (0, 1, 3, 4)}
    delivery.refresh_from_db()
    assert delivery.processed_at is not None
    assert delivery.error == "InboundMessage: RuntimeError"
    page = operator(client, is_superuser=True).get(
        reverse("admin:whatsapp_webhookdelivery_changelist"), {"set_aside": "1"}
    )
    assert "InboundMessage: RuntimeError" in page.content.decode()
    assert "Mensaje" not in page.content.decode()


def test_once_the_cause_is_mended_it_is_read_and_nothing_is_there_twice(
    client, poisoned, django_capture_on_commit_callbacks
):
    delivery, cured = poisoned
    cured.append(True)
    page = replay(operator(client, is_superuser=True), delivery)
    assert "1 are processed again" in page.content.decode()
    process_waiting_webhooks()
    delivery.refresh_from_db()
    assert (delivery.processed_at is not None, delivery.error) == (True, "")
    assert said() == {f"Mensaje {number}" for number in range(5)}
    assert Message.objects.filter(direction="in").count() == 5
    assert not deliveries.set_aside().exists()


def test_what_was_read_is_not_read_again(client, team, talks):
    delivery = store(team.channel, [text(talks[0], 0)])
    process_waiting_webhooks()
    assert "0 are processed again" in replay(operator(client, is_superuser=True), delivery).content.decode()


def test_whoever_may_only_look_replays_nothing(client, poisoned):
    delivery, cured = poisoned
    cured.append(True)
    looking = operator(client)
    person = factories.UserFactory._meta.model.objects.latest("pk")
    person.user_permissions.add(Permission.objects.get(codename="view_webhookdelivery"))
    replay(looking, delivery)
    delivery.refresh_from_db()
    assert delivery.error != ""
    assert delivery.processed_at is not None
    assert json.loads(bytes(delivery.body))


def test_what_came_before_its_field_was_known_is_read_after_an_update(team, monkeypatch, capsys):
    said = {"from": PERSON, "timestamp": str(int(timezone.now().timestamp())), "type": "text"}
    with monkeypatch.context() as before:
        before.delitem(parsing._OF_A_NUMBER, "standby")
        post(team.channel, "standby", messages=[{**said, "id": "wamid.S", "text": {"body": "¿Sigue?"}}])
    post(team.channel, messages=[{**said, "id": "wamid.M", "text": {"body": "no es standby"}}])
    assert not Message.objects.filter(whatsapp_id="wamid.S").exists()
    monkeypatch.setattr(process_waiting_webhooks, "apply_async", lambda *_what, **_how: None)
    call_command("replay_webhooks", "standby")
    assert "processed again: 1." in capsys.readouterr().out
    process_waiting_webhooks()
    assert Message.objects.filter(whatsapp_id__in=["wamid.S", "wamid.M"]).count() == 2
    call_command("replay_webhooks", "something_else")
    assert "processed again: 0." in capsys.readouterr().out
