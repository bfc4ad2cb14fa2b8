"""All numbers of one Meta app report to one address: whose an event is."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.test import Client
from django.utils import timezone

from conversations.models import Contact, Message
from conversations.sending import queue
from followups.models import Status
from notifications.models import Notification
from templates_app.models import Template
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.webhooks.meta import PERSON, post, say
from trochai.whatsapp.models import Channel, UnknownNumber, WebhookDelivery
from trochai.whatsapp.webhooks import deliveries, routing


@pytest.fixture
def second(team) -> Channel:
    """Another number of the same organization and the same Meta app."""
    return factories.ChannelFactory(organization=team.organization, waba_id=team.channel.waba_id)


@pytest.fixture
def foreign(stranger) -> Channel:
    """A number of another organization, of another Meta app."""
    stranger.channel.app_secret = "another-secret"
    stranger.channel.save()
    return stranger.channel


def text(channel, to, body="Mejor cancelemos", **more):
    say_to = {"messages": [_written(body)], "contacts": [{"wa_id": PERSON}], **more}
    post(channel, to=to, **say_to)


def _written(body):
    at = str(int(timezone.now().timestamp()))
    return {"id": "wamid.X", "from": PERSON, "timestamp": at, "type": "text", "text": {"body": body}}


def test_the_second_numbers_answers_arrive_at_the_first_ones_address_and_count(team, second):
    contact = factories.ContactFactory(organization=team.organization, phone=f"+{PERSON}")
    talk = factories.ConversationFactory(organization=team.organization, channel=second, contact=contact)
    waiting = factories.FollowUpFactory(
        organization=team.organization,
        conversation=talk,
        template=factories.TemplateFactory(channel=second),
        created_by=team.agent.user,
        cancel_on_reply=True,
        created_at=timezone.now() - dt.timedelta(days=1),
    )
    text(second, to=team.channel)
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELED
    assert Message.objects.get(direction="in").channel == second


def test_statuses_and_opt_outs_too(team, second):
    talk = factories.ConversationFactory(organization=team.organization, channel=second)
    sent = factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", delivery="accepted")
    status = {"id": "wamid.OUT", "status": "delivered", "timestamp": "1795000000"}
    post(second, to=team.channel, statuses=[status])
    phone = talk.contact.phone.removeprefix("+")
    stop = {"wa_id": phone, "category": "marketing_messages", "value": "stop", "timestamp": 1795000000}
    post(second, "user_preferences", to=team.channel, user_preferences=[stop])
    sent.refresh_from_db()
    assert sent.delivery == "delivered"
    assert Contact.objects.get(pk=talk.contact_id).is_opted_out


def test_an_event_of_a_template_is_found_by_its_account(team):
    elsewhere = factories.ChannelFactory(organization=team.organization, waba_id="another account")
    template = factories.TemplateFactory(channel=elsewhere, name="visita", language="es")
    event = {
        "event": "PAUSED",
        "message_template_id": template.meta_id,
        "message_template_name": "visita",
        "message_template_language": "es",
    }
    post(elsewhere, "message_template_status_update", to=team.channel, metadata={}, **event)
    assert Template.objects.get(pk=template.pk).status == "PAUSED"


def test_another_organizations_number_is_served_only_by_its_own_secret(team, foreign):
    text(foreign, to=team.channel)
    assert not Message.objects.exists()
    foreign.app_secret = team.channel.app_secret  # one Meta app for both
    foreign.save()
    text(foreign, to=team.channel)
    assert Message.objects.get().channel == foreign


def test_another_organizations_templates_are_left_alone(team, foreign):
    template = factories.TemplateFactory(channel=foreign, name="visita", language="es")
    event = {
        "event": "DISABLED",
        "message_template_id": template.meta_id,
        "message_template_name": "visita",
        "message_template_language": "es",
    }
    post(foreign, "message_template_status_update", to=team.channel, metadata={}, **event)
    assert Template.objects.get(pk=template.pk).status == "APPROVED"


def test_a_number_that_is_nobodys_is_kept_counted_and_told_once(team):
    for _turn in range(2):
        say(team.channel, node={"body": "hola"}, id="wamid.1")  # ours, to see that it is read
        post(team.channel, metadata={"phone_number_id": "999"}, messages=[_written("x"), _written("y")])
    number = UnknownNumber.objects.get()
    assert (str(number), number.count) == ("999", 4)
    told = Notification.objects.filter(kind="number_unknown")
    assert list(told.values_list("recipient", flat=True)) == [team.admin.user.pk]
    assert "999" in html_of(signed_in(team.admin).get("/notifications/"))
    kept = WebhookDelivery.objects.filter(error="Of unknown numbers.")
    assert kept.count() == 2
    deliveries.purge(timezone.now() + dt.timedelta(days=20))
    assert kept.count() == 2


def test_operators_see_the_numbers_that_are_not_connected(team, admin_client):
    post(team.channel, metadata={"phone_number_id": "999"}, messages=[_written("x")])
    assert "999" in html_of(admin_client.get("/admin/whatsapp/unknownnumber/"))


def test_a_body_with_a_wrong_signature_reaches_no_number(team, second):
    answer = Client().post(
        f"/webhooks/whatsapp/{team.channel.uuid}/",
        b"{}",
        content_type="application/json",
        headers={"X-Hub-Signature-256": "sha256=" + "0" * 64},
    )
    assert answer.status_code == 403
    assert not WebhookDelivery.objects.exists()


def test_an_outcome_waits_for_what_lies_unread_at_another_numbers_address(team, second):
    talk = factories.ConversationFactory(organization=team.organization, channel=second)
    message = factories.MessageFactory(conversation=talk, delivery="sending", whatsapp_id="")
    now = timezone.now()
    row = {"message": message, "conversation": talk, "channel": second, "written_at": now}
    queue.QueuedMessage.objects.create(**row, requested_at=now - dt.timedelta(minutes=11))
    deliveries.store(team.channel, b"{}", now=now)
    assert queue.give_up_on_unknown(now=now) == 0
    WebhookDelivery.objects.all().delete()
    assert queue.give_up_on_unknown(now=now) == 1


# What Meta says of the account, and what nobody knows yet -----------------------------------------------


def test_admins_are_told_what_meta_says_of_the_account(team):
    ban = {"waba_ban_state": "SCHEDULE_FOR_DISABLE", "waba_ban_date": "2026-11-30"}
    post(team.channel, "account_update", metadata={}, event="DISABLED_UPDATE", ban_info=ban)
    restriction = [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1795086400}]
    post(
        team.channel, "account_update", metadata={}, event="ACCOUNT_RESTRICTION", restriction_info=restriction
    )
    post(team.channel, "account_update", metadata={}, event="SOMETHING_NEW", new_info={"x": [1, {"y": 2}]})
    html = html_of(signed_in(team.admin).get("/notifications/"))
    for words in ("2026-11-30", "restricted what the account may send", "SOMETHING_NEW"):
        assert words in html
    assert not Notification.objects.exclude(recipient=team.admin.user).exists()


def test_a_field_that_nobody_knows_is_logged_once_and_counted(team, caplog):
    before = metrics_of_unknown_fields()
    for _turn in range(3):
        post(team.channel, "telepathy", thought="x")
    assert metrics_of_unknown_fields() == before + 3
    assert caplog.text.count("telepathy") == 1


def metrics_of_unknown_fields() -> float:
    from trochai.metrics import UNKNOWN_FIELDS

    return UNKNOWN_FIELDS._value.get()


def test_thousands_of_numbers_in_one_body_cost_no_more_than_a_few(team, django_assert_max_num_queries):
    changes = [
        {
            "field": "messages",
            "value": {"metadata": {"phone_number_id": str(number)}, "messages": [_written("x")]},
        }
        for number in range(3000)
    ]
    body = json.dumps({"entry": [{"id": team.channel.waba_id, "changes": changes}]}).encode()
    attack = deliveries.store(team.channel, body, now=timezone.now())
    with django_assert_max_num_queries(300):
        deliveries.process(attack.pk, now=timezone.now())
    assert UnknownNumber.objects.count() == routing.MOST_UNKNOWN
