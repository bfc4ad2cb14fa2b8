from __future__ import annotations

import contextlib
import json
import re
import threading

import pytest
import requests

from tests.whatsapp.conftest import send_message
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)
from trochai.whatsapp.sandbox import SANDBOX_TOKEN, Account, Sandbox, courier
from trochai.whatsapp.sandbox.catalogue import CATALOGUE
from trochai.whatsapp.sandbox.numbers import MAGIC

ORDINARY = "+50688881234"
REMINDER = {
    "name": "visit_reminder",
    "language": {"code": "es"},
    "components": [
        {
            "type": "body",
            "parameters": [{"type": "text", "text": text} for text in ("María", "Casa EC-204", "sábado 28")],
        }
    ],
}


def magic(suffix):
    return f"+5060000{suffix}"


def send(client, to=ORDINARY, template=REMINDER):
    content = payloads.template(template)
    return send_message(client, recipient={"to": to}, content=content, reference="attempt:7")


def statuses(app):
    rows = [status for _, value in app.values for status in value.get("statuses", [])]
    assert all(row["biz_opaque_callback_data"] == "attempt:7" for row in rows)
    return [(row["id"], row["status"]) for row in rows]


# The messages endpoint ---------------------------------------------------------------------------


def test_a_message_is_accepted_and_remembered(client, sandbox, channel):
    accepted = send(client)
    assert accepted.wa_id == "50688881234"
    (call,) = sandbox.calls
    assert (call.recipient, call.reference, call.message_id) == (ORDINARY, "attempt:7", accepted.message_id)
    assert (call.status, call.phone_number_id) == (200, channel.phone_number_id)
    assert channel.access_token not in repr(sandbox.calls)


def test_a_text_and_a_user_id_are_accepted_too(client):
    accepted = send_message(
        client, recipient={"recipient": "CR.9a"}, content=payloads.text("Hola"), reference="message:1"
    )
    assert accepted.wa_id == "CR.9a"


def values(*texts, **named):
    rows = [{"type": "text", "text": text} for text in texts]
    return rows + [{"type": "text", "parameter_name": name, "text": text} for name, text in named.items()]


def template(name, language, header=None, body=None, button=None):
    parts = [
        ("header", header, {}),
        ("body", body, {}),
        ("button", button, {"sub_type": "url", "index": "0"}),
    ]
    components = [
        {"type": kind, "parameters": rows, **more} for kind, rows, more in parts if rows is not None
    ]
    return {"name": name, "language": {"code": language}, "components": components}


NAMES = {"first_name": "Karen", "property": "SA-117", "visit_date": "Saturday"}


@pytest.mark.parametrize(
    "sent",
    [
        template("visit_reminder", "es", body=values("María", "EC-204", "sábado")),
        template("visit_reminder_en", "en", body=values(**NAMES)),
        {"name": "listing_followup", "language": {"code": "es"}},
        template("payment_reminder", "es", body=values("a", "b", "c"), button=values("HE-118")),
        template("new_listing", "en", header=values("Tamarindo"), body=values("Erika", "villa")),
    ],
)
def test_each_approved_template_is_accepted_with_its_values(client, sent):
    assert send(client, template=sent).message_id.startswith("wamid.")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (template("nothing", "es"), 132001),
        (template("visit_reminder", "en_US", body=values("a", "b", "c")), 132001),
        (template("document_request", "es", body=values("a", "b")), 132001),
        (template("visit_reminder", "es", body=values("a", "b")), 132000),
        (template("visit_reminder", "es"), 132000),
        (template("listing_followup", "es", body=values("a")), 132000),
        (template("visit_reminder", "es", header=values("a"), body=values("a", "b", "c")), 132000),
        (template("visit_reminder", "es", body=values("a", "b", "c\nd")), 132018),
        (template("visit_reminder", "es", body=values("a", "b", "c     d")), 132018),
        (template("visit_reminder", "es", body=values("a", "b", "")), 132018),
        (template("visit_reminder", "es", body=values("a", "b", "c" * 1000)), 132005),
        (template("visit_reminder", "es", body=[*values("a", "b"), {"type": "image"}]), 132012),
        (template("visit_reminder", "es", body=[*values("a", "b"), {"type": "text"}]), 131008),
        (template("visit_reminder", "es", body=values(**NAMES)), 132012),
        (template("visit_reminder_en", "en", body=values("a", "b", "c")), 132012),
        (template("payment_reminder", "es", body=values("a", "b", "c")), 131008),
        (template("visit_reminder", "es", body="x"), 100),
        ({"name": "visit_reminder", "language": {"code": ""}, "components": []}, None),
    ],
)
def test_what_meta_would_refuse_is_refused_with_metas_code(client, sent, code):
    with pytest.raises(PermanentError) as raised:
        send(client, template=sent)
    assert raised.value.code == code
    assert raised.value.template_unusable is (code in {132000, 132001, 132005, 132012})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", 100),
        ("[]", 100),
        ({}, 100),
        ({"messaging_product": "whatsapp"}, 100),
        ({"messaging_product": "whatsapp", "to": "x"}, 131009),
        ({"messaging_product": "whatsapp", "to": ORDINARY}, 131008),
        ({"messaging_product": "whatsapp", "to": ORDINARY, "type": "image"}, 131008),
        ({"messaging_product": "whatsapp", "to": ORDINARY, "type": "hologram"}, 131051),
        ({"messaging_product": "whatsapp", "to": ORDINARY, "text": {"body": "x" * 4097}}, 100),
        ({"messaging_product": "whatsapp", "to": ORDINARY, "biz_opaque_callback_data": "x" * 513}, 131009),
    ],
)
def test_a_malformed_body_is_refused_as_meta_does(sandbox, channel, body, code):
    answer = requests.post(
        f"{sandbox.url}/v25.0/{channel.phone_number_id}/messages",
        data=body if isinstance(body, str) else json.dumps(body),
        headers={"Authorization": f"Bearer {SANDBOX_TOKEN}"},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_wrong_token_is_metas_190(channel, sandbox):
    channel.access_token = "wrong"
    with pytest.raises(ChannelError) as raised:
        send(client_for(channel))
    assert (raised.value.code, raised.value.http_status) == (190, 401)


def test_an_unknown_number_is_metas_100(channel, sandbox):
    channel.phone_number_id = "999"
    with pytest.raises(PermanentError) as raised:
        send(client_for(channel))
    assert raised.value.code == 100
    assert "subcode 33" in raised.value.details


# Magic numbers -----------------------------------------------------------------------------------

REFUSALS = {
    "1429": (TemporaryError, 130429),
    "1000": (TemporaryError, 131000),
    "1026": (PermanentError, 131026),
    "1047": (PermanentError, 131047),
    "1049": (PermanentError, 131049),
    "1050": (PermanentError, 131050),
    "1056": (TemporaryError, 131056),
    "2015": (PermanentError, 132015),
    "0190": (ChannelError, 190),
    "1042": (ChannelError, 131042),
    "9999": (PermanentError, 999999),
    "0503": (TemporaryError, None),
    "0500": (OutcomeUnknown, None),
    "0200": (OutcomeUnknown, None),
    "0104": (OutcomeUnknown, None),
    "0408": (OutcomeUnknown, None),
    "0409": (OutcomeUnknown, None),
}


@pytest.mark.parametrize("suffix", REFUSALS)
def test_a_magic_number_makes_its_error(client, suffix):
    kind, code = REFUSALS[suffix]
    with pytest.raises(WhatsAppError) as raised:
        send(client, magic(suffix))
    assert (type(raised.value), raised.value.code) == (kind, code)


def test_one_number_is_refused_every_other_time(client):
    outcomes = []
    for _ in range(4):
        try:
            send(client, magic("0429"))
            outcomes.append("accepted")
        except TemporaryError as error:
            outcomes.append(error.code)
    assert outcomes == [130429, "accepted"] * 2


def test_every_magic_number_is_documented(settings):
    text = (settings.BASE_DIR / "docs/whatsapp-sandbox.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \+506 0000 (\d{4}) \| (.+?) \|$", text, re.MULTILINE))
    assert rows == {suffix: behaviour.summary for suffix, behaviour in MAGIC.items()}


def test_a_number_that_only_looks_magic_is_ordinary(client):
    assert send(client, "+50688881026").message_id


# Webhooks ----------------------------------------------------------------------------------------


def test_an_ordinary_message_is_sent_delivered_and_read(with_app, app, channel):
    message_id = send(client_for(channel)).message_id
    assert with_app.wait_idle()
    assert statuses(app) == [(message_id, name) for name in ("sent", "delivered", "read")]
    assert {waba for waba, _ in app.values} == {channel.waba_id}
    assert app.values[0][1]["metadata"]["phone_number_id"] == channel.phone_number_id


@pytest.mark.parametrize(("suffix", "code"), [("3026", 131026), ("3049", 131049)])
def test_an_accepted_message_may_fail_later(with_app, app, channel, suffix, code):
    send(client_for(channel), magic(suffix))
    assert with_app.wait_idle()
    ((_, value),) = app.values
    assert value["statuses"][0]["status"] == "failed"
    assert value["statuses"][0]["errors"][0]["code"] == code


def test_a_late_webhook_proves_what_no_answer_told(with_app, app, channel):
    with pytest.raises(OutcomeUnknown):
        send(client_for(channel), magic("0408"))
    assert with_app.wait_idle()
    assert [status for _, status in statuses(app)] == ["sent", "delivered"]


def test_a_webhook_may_come_before_the_answer(with_app, app, channel):
    message_id = send(client_for(channel), magic("0003")).message_id
    # Not waited for: it was there before.
    assert statuses(app) == [(message_id, "sent")]


def test_the_contact_may_answer(with_app, app, channel):
    send(client_for(channel), magic("0001"))
    assert with_app.wait_idle()
    (message,) = app.values[-1][1]["messages"]
    assert message["from"] == "50600000001"
    assert len(statuses(app)) == 3


@pytest.mark.parametrize("suffix", ["1026", "0104", "0409", "0500"])
def test_what_was_not_accepted_brings_no_webhook(with_app, app, channel, suffix):
    with pytest.raises(WhatsAppError):
        send(client_for(channel), magic(suffix))
    assert with_app.wait_idle()
    assert app.values == []


def test_a_webhook_that_is_not_answered_with_200_comes_again(with_app, app, channel, monkeypatch):
    monkeypatch.setattr(courier, "RETRIES", (0, 0, 0))
    app.answers = [500, 503]
    send(client_for(channel), magic("0002"))
    assert with_app.wait_idle()
    assert [status for _, status in statuses(app)] == ["sent"]


def test_anybody_may_be_made_to_write(with_app, app, channel):
    written = requests.post(
        f"{with_app.url}/sandbox/inbound",
        json={"from": "+506 8888-1234", "name": "María", "text": "¡Hola!"},
        timeout=5,
    )
    assert with_app.wait_idle()
    ((_, value),) = app.values
    assert value["messages"][0]["text"] == {"body": "¡Hola!"}
    assert value["messages"][0]["id"] == written.json()["id"]
    assert value["contacts"][0]["profile"] == {"name": "María"}


def test_with_several_numbers_the_first_is_written_to_unless_another_is_named(with_app, app):
    with Sandbox([with_app.account, Account(phone_number_id="7", waba_id="7")], pace=0) as two:
        for number in ({}, {"phone_number_id": "7"}):
            body = {"from": "+50688881234", "text": "¡Hola!", **number}
            answer = requests.post(f"{two.url}/sandbox/inbound", json=body, timeout=5)
            assert answer.status_code == 200
        assert two.wait_idle()
    ((_, value),) = app.values
    assert value["metadata"]["phone_number_id"] == with_app.account.phone_number_id


def test_writing_to_a_number_that_is_not_there_is_refused(with_app):
    for body in ({}, {"from": "+50688881234", "text": "x", "phone_number_id": "7"}):
        answer = requests.post(f"{with_app.url}/sandbox/inbound", json=body, timeout=5)
        assert answer.status_code == 400


# Templates, the number, the server ---------------------------------------------------------------


def test_the_catalogue_comes_in_pages(client, channel, monkeypatch):
    rows = list(client.templates(channel.waba_id))
    assert [row["name"] for row in rows] == [row["name"] for row in CATALOGUE]
    url = f"{client._base_url}/{channel.waba_id}/message_templates"
    names, after = [], ""
    while after is not None:
        page = requests.get(
            url,
            params={"limit": 2, "fields": "name", "after": after},
            headers={"Authorization": f"Bearer {SANDBOX_TOKEN}"},
            timeout=5,
        ).json()
        names.append([row["name"] for row in page["data"]])
        after = page["paging"]["cursors"]["after"] if "next" in page["paging"] else None
    assert [len(page) for page in names] == [2, 2, 2, 1]


def test_the_catalogue_has_one_template_of_each_shape():
    shapes = {row["name"]: row for row in CATALOGUE}
    assert shapes["visit_reminder_en"]["parameter_format"] == "NAMED"
    assert "{{" not in json.dumps(shapes["listing_followup"])
    assert "{{1}}" in shapes["new_listing"]["components"][0]["text"]
    assert shapes["payment_reminder"]["components"][-1]["buttons"][0]["url"].endswith("/{{1}}")
    assert [name for name, row in shapes.items() if row["status"] != "APPROVED"] == ["document_request"]


def test_the_number_can_be_looked_at(client, channel):
    assert client.phone_number()["display_phone_number"] == channel.display_phone_number


def test_more_messages_a_second_than_a_number_takes_meet_a_rate_limit(settings, channel):
    account = Account(phone_number_id=channel.phone_number_id, waba_id="1", token=channel.access_token)
    with Sandbox([account], pace=0, throughput=3) as limited:
        settings.WHATSAPP_API_URL = limited.url
        client = client_for(channel)
        for _ in range(3):
            send(client)
        with pytest.raises(TemporaryError) as raised:
            send(client)
    assert raised.value.code == 130429


def test_it_stops_at_once_also_while_somebody_waits_for_an_answer(sandbox, channel):
    def wait():
        with contextlib.suppress(WhatsAppError):
            send(client_for(channel), magic("0409"))

    thread = threading.Thread(target=wait)
    thread.start()
    sandbox.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_an_unknown_path_is_not_found(sandbox):
    assert requests.get(f"{sandbox.url}/elsewhere", timeout=5).status_code == 404
