"""Secrets in the database: never lost to a wrong key, and moved to a new one by a command."""

from __future__ import annotations

import pickle

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from tests.factories import ChannelFactory
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import ChannelError
from trochai.whatsapp.fields import UnreadableSecret, ciphertexts, encrypted_columns
from trochai.whatsapp.models import Channel

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(settings):
    """A channel whose secrets were stored with the key OLD, the only one that is known."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    return ChannelFactory(access_token="EAAB-old", app_secret="app-old", verify_token="verify-old")


def again(channel) -> Channel:
    return Channel.objects.get(pk=channel.pk)


def secrets_of(channel) -> list[str]:
    return [str(getattr(again(channel), name)) for _model, name in encrypted_columns()]


def test_saving_with_the_wrong_key_leaves_every_secret_as_it_is(channel, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    unreadable = again(channel)
    assert unreadable.access_token == ""
    unreadable.name = "Sales"
    unreadable.save()
    pickle.loads(pickle.dumps(again(channel))).save()
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    assert secrets_of(channel) == ["EAAB-old", "app-old", "verify-old"]
    assert again(channel).name == "Sales"


def test_nothing_is_sent_with_a_token_that_cannot_be_read(channel, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    with pytest.raises(ChannelError):
        client_for(again(channel)).phone_number()


def test_the_admin_names_what_it_cannot_read_and_saves_nothing(channel, settings, admin_client):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    address = f"/admin/whatsapp/channel/{channel.pk}/change/"
    form = admin_client.get(address).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields} | {"name": "Changed"}
    answer = admin_client.post(address, data)
    errors = answer.context["adminform"].form.errors
    assert {"access_token", "app_secret", "verify_token"} <= errors.keys()
    assert "FIELD_ENCRYPTION_KEYS" in errors["access_token"][0]
    assert again(channel).name != "Changed"
    # Who has lost the old key enters everything anew.
    entered = {"access_token": "EAAB-2", "app_secret": "app-2", "verify_token": "verify-2"}
    assert admin_client.post(address, data | entered).status_code == 302
    assert secrets_of(channel) == ["EAAB-2", "app-2", "verify-2"]


def test_after_rotating_the_old_key_can_go(channel, settings, capsys):
    without_token = ChannelFactory(access_token="", app_secret="only this", verify_token="v")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    call_command("rotate_keys")
    assert "5 secrets encrypted" in capsys.readouterr().out
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert secrets_of(channel) == ["EAAB-old", "app-old", "verify-old"]
    assert secrets_of(without_token) == ["", "only this", "v"]


def test_rotating_names_what_no_key_opens_and_does_the_rest(channel, settings, capsys):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    lost = ChannelFactory(access_token="lost", app_secret="", verify_token="lost too")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError) as raised:
        call_command("rotate_keys")
    assert f"whatsapp.Channel {lost.pk}: access_token" in str(raised.value)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert secrets_of(channel) == ["EAAB-old", "app-old", "verify-old"]
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    assert secrets_of(lost) == ["lost", "", "lost too"]


def test_rotating_can_be_tried_without_changing_anything(channel, settings):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    before = list(ciphertexts(Channel, "access_token").values_list("stored", flat=True))
    call_command("rotate_keys", "--check")
    assert list(ciphertexts(Channel, "access_token").values_list("stored", flat=True)) == before


def test_a_start_with_the_wrong_key_is_told_by_the_check_of_the_database(channel, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    found = [error for error in run_checks(databases=["default"]) if error.id == "trochai.E007"]
    assert {error.msg.split(" ")[0] for error in found} == {
        f"whatsapp.Channel.{name}" for _model, name in encrypted_columns()
    }
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    assert "trochai.E007" not in {error.id for error in run_checks(databases=["default"])}


def test_an_unreadable_secret_shows_nothing(channel, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    token = again(channel).access_token
    assert isinstance(token, UnreadableSecret)
    assert token.stored not in f"{token} {token!r}"
