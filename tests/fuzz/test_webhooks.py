"""Whatever is signed and posted: stored or refused, and read to its end without a failure."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from tests.fuzz.strategies import JSON, bounded, mutated
from tests.whatsapp.conftest import signed
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks

PHONE = "50688881234"


def change(field: str, **value):
    metadata = {"display_phone_number": "50622014455", "phone_number_id": "42"}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "77", "changes": [{"field": field, "value": whole}]}],
    }


def message(kind: str, **content):
    contacts = [{"profile": {"name": "Ana"}, "wa_id": PHONE, "user_id": "CR.1234567890"}]
    sent = {"from": PHONE, "id": f"wamid.{kind}", "timestamp": "1764000000", "type": kind, kind: content}
    return change("messages", contacts=contacts, messages=[{**sent, "context": {"id": "wamid.sent"}}])


def status(name: str, **more):
    sent = {"id": "wamid.sent", "status": name, "timestamp": "1764000001", "recipient_id": PHONE}
    return change("messages", statuses=[{**sent, "biz_opaque_callback_data": "message:1", **more}])


def template(field: str, **more):
    about = {"message_template_id": 9, "message_template_name": "visit", "message_template_language": "en-US"}
    return change(field, **about, **more)


POSTED = (
    message("text", body="Hola"),
    message("image", caption="La casa", id="1", mime_type="image/jpeg"),
    message("audio", voice=True, id="1"),
    message("document", filename="plan.pdf", id="1"),
    message("location", latitude=9.9, longitude=-84.1, name="Casa"),
    message("contacts", contacts=[{"name": {"formatted_name": "Luis"}}]),
    message("reaction", message_id="wamid.sent", emoji="👍"),
    message("interactive", type="button_reply", button_reply={"id": "a", "title": "Sí"}),
    message("button", text="Agendar", payload="x"),
    message("system", body="Ana changed number", wa_id="50688880000", type="user_changed_number"),
    message("order", catalog_id="1", product_items=[{"quantity": 1}]),
    message("edit", original_message_id="wamid.text", message={"type": "text", "text": {"body": "No"}}),
    message("revoke", original_message_id="wamid.text"),
    change("calls", calls=[{"id": "c", "from": PHONE, "event": "connect", "direction": "USER_INITIATED"}]),
    change("smb_message_echoes", message_echoes=[{"id": "e", "to": PHONE, "type": "text"}]),
    change("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_date": "2026-11-30"}),
    status("sent"),
    status("delivered"),
    status("failed", errors=[{"code": 131026, "title": "x", "error_data": {"details": "no"}}]),
    change(
        "user_preferences",
        user_preferences=[{"wa_id": PHONE, "value": "stop", "category": "marketing_messages"}],
    ),
    template("message_template_status_update", event="PAUSED", reason="NONE"),
    template("message_template_quality_update", new_quality_score="RED"),
    template("template_category_update", new_category="MARKETING"),
)


@pytest.fixture
def channel(team):
    team.channel.phone_number_id, team.channel.waba_id = "42", "77"
    team.channel.save()
    contact = factories.ContactFactory(organization=team.organization, phone=f"+{PHONE}")
    conversation = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )
    factories.MessageFactory(conversation=conversation, direction="out", whatsapp_id="wamid.sent")
    factories.TemplateFactory(channel=team.channel, name="visit", language="en_US", meta_id="9")
    return team.channel


def post(channel, body: bytes) -> None:
    headers = {"X-Hub-Signature-256": signed(body, channel.app_secret)}
    address = f"/webhooks/whatsapp/{channel.uuid}/"
    answer = Client().post(address, body, content_type="application/json", headers=headers)
    assert answer.status_code in {200, 400, 411, 413}


def read_all() -> set[str]:
    process_waiting_webhooks()
    errors = set(WebhookDelivery.objects.values_list("error", flat=True))
    WebhookDelivery.objects.all().delete()
    return errors


@bounded(600)
@given(body=mutated(POSTED))
def test_no_body_that_looks_like_metas_fails(channel, body):
    post(channel, json.dumps(body).encode())
    assert read_all() <= {"", "Of unknown numbers."}


@bounded(100)
@given(body=st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)))
def test_no_other_body_fails_either(channel, body):
    post(channel, body)
    assert read_all() <= {"", "The body is not JSON."}
