from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.models import Message
from conversations.wording import in_words
from tests.whatsapp.conftest import signed
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.webhooks import parsing
from trochai.whatsapp.webhooks.parsing import (
    Address,
    InboundMessage,
    MarketingPreference,
    MessageStatus,
    TemplateCategory,
    TemplateQuality,
    TemplateStatusUpdate,
    decode,
    is_signed,
)

pytestmark = pytest.mark.pure

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
AT = dt.datetime(2026, 11, 22, 14, 30, tzinfo=dt.UTC)
SECONDS = str(int(AT.timestamp()))


def events(payload):
    """Return what concerns the number 42 of the account 77."""
    ours = {Address("42", "77"), Address("", "77")}
    return [event for address, event in parsing.events(payload, received_at=NOW) if address in ours]


def body(field="messages", number="42", waba="77", **value):
    if number:
        value["metadata"] = {"phone_number_id": number}
    return {"entry": [{"id": waba, "changes": [{"field": field, "value": value}]}]}


def message(**more):
    return {"from": "50688881234", "id": "wamid.IN", "timestamp": SECONDS, "type": "text", **more}


def text_of(kind, node):
    (event,) = events(body(messages=[message(type=kind, **{kind: node})]))
    written = Message(kind=event.kind, text=event.text, content=event.content)
    return in_words(written.shown_kind, written.text)


# The signature -----------------------------------------------------------------------------------

BODY = b'{"name":"Jos\\u00e9 \\ud83d\\ude00"}'


def test_the_signature_is_over_the_raw_bytes_with_their_escapes():
    assert is_signed(BODY, signed(BODY), "test-app-secret")
    reserialised = json.dumps(json.loads(BODY), ensure_ascii=False).encode()
    assert not is_signed(reserialised, signed(BODY), "test-app-secret")


def test_hexadecimal_digits_may_be_upper_case():
    assert is_signed(BODY, "sha256=" + signed(BODY)[7:].upper(), "test-app-secret")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        signed(BODY)[7:],
        signed(BODY)[:-1],
        signed(BODY) + "0",
        signed(BODY) + "\n",
        " " + signed(BODY),
        "sha1=" + signed(BODY)[7:],
        "sha256=" + "0" * 64,
        "sha256=" + "é" * 64,
        signed(BODY, "another channel's secret"),
        signed(BODY + b" "),
    ],
)
def test_anything_else_is_not_a_signature(header):
    assert not is_signed(BODY, header, "test-app-secret")


def test_a_channel_without_a_secret_takes_no_webhooks():
    assert not is_signed(BODY, signed(BODY, ""), "")


# Inbound -----------------------------------------------------------------------------------------


def test_a_text_is_read_whole():
    contacts = [{"profile": {"name": "María Jiménez"}, "wa_id": "50688881234", "user_id": "CR.9a"}]
    (event,) = events(
        body(contacts=contacts, messages=[message(text={"body": "¡Hola!"}, from_user_id="CR.9a")])
    )
    assert event == InboundMessage(
        id="wamid.IN",
        from_phone="+50688881234",
        from_user_id="CR.9a",
        profile_name="María Jiménez",
        at=AT,
        kind="text",
        text="¡Hola!",
        content={"text": {"body": "¡Hola!"}},
    )


def test_somebody_who_hides_the_number_is_known_by_the_user_id():
    hidden = {"id": "wamid.IN", "from_user_id": "US.ENT.8Zx", "type": "text", "text": {"body": "Hi"}}
    contacts = [
        {"profile": {"name": "Other"}, "wa_id": "1"},
        {"profile": {"name": "Karen"}, "user_id": "US.ENT.8Zx"},
    ]
    (event,) = events(body(contacts=contacts, messages=[hidden]))
    assert (event.from_phone, event.from_user_id, event.profile_name) == ("", "US.ENT.8Zx", "Karen")


@pytest.mark.parametrize(
    ("kind", "node", "text"),
    [
        ("button", {"payload": "P", "text": "Confirmar"}, "Confirmar"),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "1", "title": "Sí"}}, "Sí"),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "Martes"}}, "Martes"),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": "{}"}}, "Sent"),
        ("interactive", {"type": "new_reply"}, "Reply"),
        ("image", {"id": "1", "caption": "La fachada"}, "La fachada"),
        ("image", {"id": "1"}, "Photo"),
        ("video", {"id": "1"}, "Video"),
        ("audio", {"id": "1", "voice": True}, "Voice message"),
        ("audio", {"id": "1"}, "Audio"),
        ("document", {"id": "1", "filename": "plano.pdf"}, "plano.pdf"),
        ("sticker", {"id": "1"}, "Sticker"),
        ("location", {"latitude": 9.9, "longitude": -84.1}, "9.9, -84.1"),
        ("location", {"name": "Casa EC-204"}, "Casa EC-204"),
        ("contacts", [{"name": {"formatted_name": "Ana"}}], "Ana"),
        ("contacts", [{"name": {}}], "Contact card"),
        ("reaction", {"message_id": "wamid.X", "emoji": "👍"}, "Reacted with 👍"),
        ("reaction", {"message_id": "wamid.X"}, "Removed a reaction"),
        ("order", {"catalog_id": "1"}, "Order"),
        ("system", {"body": "Changed the number"}, "Changed the number"),
        ("hologram", {"x": 1}, "A message that can’t be shown here"),
        ("text", {"body": None}, ""),
        ("text", "nonsense", ""),
    ],
)
def test_every_kind_of_message_has_a_text(kind, node, text):
    assert text_of(kind, node) == text


def test_the_content_keeps_what_the_kind_brought_and_the_message_it_answers():
    image = {"id": "1", "mime_type": "image/jpeg", "caption": "La fachada"}
    (event,) = events(body(messages=[message(type="image", image=image, context={"id": "wamid.Q"}, new=1)]))
    assert event.content == {"image": image, "context": {"id": "wamid.Q"}}


@pytest.mark.parametrize(
    "broken", [{"id": ""}, {"id": "x" * 300}, {"from": ""}, {"from": "abc"}, {"from": "0" * 20}, {"id": None}]
)
def test_a_message_that_cannot_be_attributed_is_left_out_and_the_others_stay(broken):
    payload = body(messages=[message(**broken), message(id="wamid.OK"), "nonsense"])
    assert [event.id for event in events(payload)] == ["wamid.OK"]


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        "",
        "soon",
        "-5",
        True,
        0,
        "0",
        "99999999999",
        "9" * 30,
        10**30,
        1.5,
        "٣",
        str(int(NOW.timestamp()) * 1000),
    ],
)
def test_an_absurd_time_counts_as_just_received(timestamp):
    (event,) = events(body(messages=[message(timestamp=timestamp)]))
    assert event.at == NOW


def test_a_time_may_be_a_number():
    (event,) = events(body(messages=[message(timestamp=int(SECONDS))]))
    assert event.at == AT


# Statuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "played"])
def test_a_status_brings_our_reference_back(status):
    row = {"id": "wamid.OUT", "status": status, "timestamp": SECONDS, "biz_opaque_callback_data": "attempt:7"}
    assert events(body(statuses=[row])) == [MessageStatus("wamid.OUT", status, AT, "attempt:7", Failure())]


@pytest.mark.parametrize("code", [131049, "131049"])
def test_a_failed_status_says_why_in_our_words(code):
    row = {
        "id": "wamid.OUT",
        "status": "failed",
        "timestamp": SECONDS,
        "errors": [{"code": code, "title": "x"}],
    }
    (event,) = events(body(statuses=[row]))
    assert (event.failure.code, event.reference) == (131049, "")
    assert "24 hours" in event.failure.words()


@pytest.mark.parametrize("errors", [None, [], [None], "x", [{}], [{"code": None}]])
def test_a_failed_status_without_a_reason_still_has_a_sentence(errors):
    (event,) = events(body(statuses=[{"id": "wamid.OUT", "status": "failed", "errors": errors}]))
    assert (event.failure.code, event.failure.words()) == (
        None,
        "WhatsApp refused the message without saying why.",
    )


def test_an_unknown_error_shows_metas_details():
    error = {"code": 777, "message": "m", "error_data": {"details": "Strange thing"}}
    (event,) = events(body(statuses=[{"id": "wamid.OUT", "status": "failed", "errors": [error]}]))
    assert (event.failure.code, event.failure.words()) == (777, "WhatsApp refused the message: Strange thing")


def test_statuses_that_nobody_knows_are_ignored():
    assert events(body(statuses=[{"id": "wamid.OUT", "status": "warning"}, {"status": "read"}])) == []


def test_every_entry_change_and_item_is_read_in_order():
    payload = body(messages=[message(id="a"), message(id="b")], statuses=[{"id": "c", "status": "read"}])
    payload["entry"] = payload["entry"] * 2
    payload["entry"][0]["changes"] *= 2
    assert [event.id for event in events(payload)] == ["a", "b", "c"] * 4


def test_another_numbers_events_are_ignored():
    assert events(body(number="43", messages=[message()], statuses=[{"id": "c", "status": "read"}])) == []
    assert events(body(number="", messages=[message()])) == []


# Templates and preferences -----------------------------------------------------------------------

TEMPLATE = {
    "message_template_id": 594425479261596,
    "message_template_name": "visit_reminder",
    "message_template_language": "en-US",
}
IDENTITY = ("594425479261596", "visit_reminder", "en_US")


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("APPROVED", "APPROVED"),
        ("PAUSED", "PAUSED"),
        ("rejected", "REJECTED"),
        ("REINSTATED", "REINSTATED"),
        ("FLAGGED", "FLAGGED"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_a_templates_status(event, status):
    payload = body("message_template_status_update", "", event=event, reason="NONE", **TEMPLATE)
    assert events(payload) == [TemplateStatusUpdate(*IDENTITY, NOW, status, "")]


def test_a_rejected_template_says_why():
    info = {"reason": "Placed next to each other", "recommendation": "Move them"}
    for value in ({"reason": "INVALID_FORMAT"}, {"reason": None, "rejection_info": info}):
        payload = body("message_template_status_update", "", event="REJECTED", **TEMPLATE, **value)
        (event,) = events(payload)
        assert event.reason in {"INVALID_FORMAT", "Placed next to each other"}


def test_a_templates_quality_and_category():
    quality = body("message_template_quality_update", "", new_quality_score="red", **TEMPLATE)
    category = body("template_category_update", "", new_category="MARKETING", **TEMPLATE)
    upcoming = body("template_category_update", "", correct_category="MARKETING", **TEMPLATE)
    assert events(quality) == [TemplateQuality(*IDENTITY, NOW, "RED")]
    assert events(category) == [TemplateCategory(*IDENTITY, NOW, "MARKETING")]
    assert events(upcoming) == []


def test_another_accounts_templates_are_ignored():
    assert events(body("message_template_status_update", "", "78", event="PAUSED", **TEMPLATE)) == []


@pytest.mark.parametrize(("value", "opted_out"), [("stop", True), ("resume", False)])
def test_a_marketing_preference(value, opted_out):
    choice = {"wa_id": "50688881234", "category": "marketing_messages", "value": value}
    payload = body(
        "user_preferences", user_preferences=[{**choice, "timestamp": int(SECONDS)}, {"value": "x"}]
    )
    assert events(payload) == [MarketingPreference("+50688881234", "", opted_out, AT)]
    assert events(body("user_preferences", "43", user_preferences=[choice])) == []


def test_fields_that_nobody_knows_are_ignored():
    assert events(body("telepathy", "", event="DISABLED_UPDATE")) == []


# Anything at all ---------------------------------------------------------------------------------


def test_what_no_database_takes_is_taken_out():
    assert decode(b'["a\\u0000b", "\\ud83d", NaN, 1e999, {"\\u0000k": -Infinity}]') == [
        "ab",
        "�",
        None,
        None,
        {"k": None},
    ]
    assert decode(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("broken", [b"", b"{", b"<html>", b"\xff\xfe\x00", b"[" * 200_000, b"9" * 5000])
def test_what_is_not_json_is_a_value_error(broken):
    with pytest.raises(ValueError):  # noqa: PT011
        decode(broken)


def test_deep_nesting_is_cut_off():
    assert decode(b"[" * 500 + b"]" * 500)


KEYS = st.sampled_from(
    [
        *("entry", "changes", "field", "value", "metadata", "phone_number_id", "id", "messages", "statuses"),
        *(
            "contacts",
            "errors",
            "from",
            "text",
            "body",
            "timestamp",
            "type",
            "status",
            "image",
            "interactive",
        ),
        *("button_reply", "title", "profile", "name", "wa_id", "user_id", "event", "message_template_id"),
        *("message_template_name", "message_template_language", "new_quality_score", "new_category"),
        *("user_preferences", "category", "error_data", "details", "code", "reason", "rejection_info"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["42", "77", "messages", "text", "failed", "sent", "stop", "user_preferences", "50688881234"]
    )
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=40,
)


@given(ANYTHING)
def test_no_json_at_all_breaks_the_parser(payload):
    events(decode(json.dumps(payload).encode()))


@given(ANYTHING, st.sampled_from(["messages", "user_preferences", "message_template_status_update"]))
def test_no_value_of_our_own_breaks_the_parser(value, field):
    value = value if isinstance(value, dict) else {"messages": value, "statuses": value, "contacts": value}
    payload = body(field)
    payload["entry"][0]["changes"][0]["value"].update({**value, **TEMPLATE})
    for event in events(decode(json.dumps(payload).encode())):
        assert type(event) in {InboundMessage, MessageStatus, MarketingPreference, TemplateStatusUpdate}


@given(st.dictionaries(KEYS, ANYTHING), st.dictionaries(KEYS, ANYTHING))
def test_no_message_or_status_breaks_the_parser(one, other):
    payload = body(messages=[{"id": "a", "from": "50688881234", **one}], statuses=[{"id": "b", **other}])
    for event in events(decode(json.dumps(payload).encode())):
        assert event.at.tzinfo is not None
