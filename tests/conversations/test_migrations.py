"""Rows from before a migration are found and written to afterwards as before."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from conversations.models import Contact, Conversation


@pytest.fixture
def at(transactional_db):
    """Walk to a state of conversations and return its models; in the end all is as it is again."""

    def walk(name: str):
        executor = MigrationExecutor(connection)
        executor.migrate([("conversations", name)])
        graph = executor.loader.graph
        below = [node for node in graph.leaf_nodes() if node[0] in {"accounts", "whatsapp"}]
        return executor.loader.project_state([*below, ("conversations", name)]).apps.get_model

    yield walk
    migrate()


def migrate() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def made(get_model, *, waba_id: str = "10", **contact):
    organization, _made = get_model("accounts", "Organization").objects.get_or_create(name="Casa")
    channel = get_model("whatsapp", "Channel").objects.create(
        organization=organization, name="Casa", phone_number_id=f"1{waba_id}", waba_id=waba_id
    )
    person = get_model("conversations", "Contact").objects.create(organization=organization, **contact)
    get_model("conversations", "Conversation").objects.create(
        organization=organization, channel=channel, contact=person, preview="El  lote en Grecia"
    )


def test_rows_from_before_are_found_and_written_to_as_before(at, monkeypatch):
    """Of all kinds in one walk: the way back and forth through the migrations takes most of the time."""
    get_model = at("0007_search_text")
    monkeypatch.setattr(import_module("conversations.migrations.0008_search_index"), "BATCH", 2)
    for number in range(5):
        made(get_model, waba_id=str(number), name=f"María {number}", phone=f"+5068888000{number}")
    get_model = at("0012_edits_pricing_and_merging")
    made(get_model, waba_id="10", name="Olga", whatsapp_user_id="CR.1")
    made(get_model, waba_id="20", name="Ana", phone="+50688880011", whatsapp_user_id="CR.2")
    made(get_model, waba_id="30", name="Sin", phone="+50688880012")
    migrate()

    # Conversations from before there was a search text are found.
    for text in ("maria 3", "+50688880003"):
        assert str(Conversation.objects.search(text).get()) == "María 3"
    found = Conversation.objects.search("lote en grecia").filter(contact__name__startswith="María")
    assert found.count() == 5
    assert Contact.objects.get(name="María 3").search_text.startswith("maria 3\n+")

    # The one user id of before holds at the account where the contact was met.
    channel = Conversation.objects.get(contact__name="Olga").channel
    assert Contact.objects.get(name="Olga").recipient_on(channel) == {"recipient": "CR.1"}
    assert Contact.objects.get(name="Ana").identities.get().portfolio == "waba:20"
    assert not Contact.objects.get(name="Sin").identities.exists()

    # And is there again on the way back.
    kept = at("0012_edits_pricing_and_merging")("conversations", "Contact").objects
    user_ids = dict(kept.values_list("name", "whatsapp_user_id"))
    assert {name: user_ids[name] for name in ("Olga", "Ana", "Sin", "María 3")} == {
        "Olga": "CR.1",
        "Ana": "CR.2",
        "Sin": "",
        "María 3": "",
    }
