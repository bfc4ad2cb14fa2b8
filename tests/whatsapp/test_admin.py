from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.factories import ChannelFactory, OrganizationFactory, UserFactory
from tests.html import html_of
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.webhooks import deliveries

SECRETS = ["test-access-token", "test-app-secret", "test-verify-token"]


@pytest.fixture
def http(db):
    client = Client()
    operator = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def form(channel, **changed):
    names = ["name", "display_phone_number", "phone_number_id", "waba_id", "messages_per_second"]
    return {
        **{name: getattr(channel, name) for name in names},
        "organization": channel.organization_id,
        **changed,
    }


def change(http, channel, **changed):
    address = reverse("admin:whatsapp_channel_change", args=[channel.pk])
    answer = http.post(address, form(channel, **changed))
    assert answer.status_code == 302, answer.context["adminform"].errors
    return Channel.objects.get(pk=channel.pk)


def test_secrets_are_never_shown_again(http, channel):
    page = html_of(http.get(reverse("admin:whatsapp_channel_change", args=[channel.pk])))
    assert channel.phone_number_id in page
    assert f"/webhooks/whatsapp/{channel.uuid}/" in page
    assert not any(secret in page for secret in SECRETS)


def test_empty_secrets_keep_what_is_stored(http, channel):
    changed = change(http, channel, name="Ventas")
    assert changed.name == "Ventas"
    assert [changed.access_token, changed.app_secret, changed.verify_token] == SECRETS


def test_a_new_token_starts_a_stopped_channel_again(http, channel):
    channels.stop(channel.pk, failure=Failure(190), now=timezone.now())
    assert change(http, channel, name="Ventas").is_stopped
    changed = change(http, channel, access_token="fresh")
    assert (changed.access_token, changed.is_stopped) == ("fresh", False)


def test_a_new_channel_can_be_entered(http, channel):
    data = form(
        channel, name="Second", phone_number_id="5", access_token="t", app_secret="s", verify_token="v"
    )
    assert http.post(reverse("admin:whatsapp_channel_add"), data).status_code == 302
    made = Channel.objects.get(name="Second")
    assert (made.access_token, made.app_secret, made.verify_token) == ("t", "s", "v")


def test_an_operator_can_resume_a_channel(http, channel):
    channels.stop(channel.pk, failure=Failure(131042), now=timezone.now())
    data = {"action": "resume", "_selected_action": [channel.pk]}
    assert http.post(reverse("admin:whatsapp_channel_changelist"), data).status_code == 302
    assert not Channel.objects.get(pk=channel.pk).is_stopped


def test_deliveries_can_be_looked_at_without_their_text_and_not_changed(http):
    delivery = deliveries.store(ChannelFactory(), b'{"text": "private words"}', now=timezone.now())
    pages = [
        http.get(reverse("admin:whatsapp_webhookdelivery_changelist")),
        http.get(reverse("admin:whatsapp_webhookdelivery_change", args=[delivery.pk])),
    ]
    assert all(page.status_code == 200 and b"private words" not in page.content for page in pages)
    assert http.get(reverse("admin:whatsapp_webhookdelivery_add")).status_code == 403


def test_a_channel_stays_in_its_organization(http, channel):
    owner = channel.organization
    other = OrganizationFactory()
    assert change(http, channel, organization=other.pk).organization == owner
