from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from conversations.models import Contact, Conversation, Message
from tests import factories


@pytest.fixture
def operator(db):
    client = Client()
    user = factories.UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("model", [Contact, Conversation, Message])
def test_operators_find_and_read_everything(operator, model):
    message = factories.MessageFactory(text="Buenos días")
    row = {Message: message, Conversation: message.conversation, Contact: message.conversation.contact}[model]
    name = f"admin:conversations_{model._meta.model_name}"
    assert operator.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200
    assert operator.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", [Conversation, Message])
def test_the_history_is_not_edited(operator, model):
    message = factories.MessageFactory()
    row = message if model is Message else message.conversation
    name = f"admin:conversations_{model._meta.model_name}"
    assert operator.get(reverse(f"{name}_add")).status_code == 403
    assert operator.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert operator.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def correct(operator, contact: Contact, **changed: str):
    fields = {"name": contact.name, "phone": contact.phone, **changed}
    return operator.post(reverse("admin:conversations_contact_change", args=[contact.pk]), fields)


def test_a_corrected_contact_is_found_by_the_new_name_on_the_follow_ups_page(operator, team):
    follow_up = factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)
    assert correct(operator, team.conversation.contact, name="Lucía Mora").status_code == 302
    follow_up.refresh_from_db()
    assert "lucia mora" in follow_up.search_text
    assert Conversation.objects.search("lucia mora").get() == team.conversation


def test_a_contact_stays_in_its_organization(operator, team, stranger):
    contact = team.conversation.contact
    assert correct(operator, contact, organization=str(stranger.organization.pk)).status_code == 302
    assert Contact.objects.get(pk=contact.pk).organization == team.organization


def test_an_operator_who_opts_a_contact_out_withdraws_what_waits(operator, team):
    follow_up = factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)
    contact = team.conversation.contact
    data = {"action": "opt_out", "_selected_action": [contact.pk]}
    assert operator.post(reverse("admin:conversations_contact_changelist"), data).status_code == 302
    follow_up.refresh_from_db()
    assert follow_up.status == "canceled"
    assert Contact.objects.get(pk=contact.pk).is_opted_out
    assert (
        operator.post(
            reverse("admin:conversations_contact_changelist"), {**data, "action": "opt_in"}
        ).status_code
        == 302
    )
    assert not Contact.objects.get(pk=contact.pk).is_opted_out
