"""The sandbox's page of the customers' phones: what is on them, and what the app is told."""

from __future__ import annotations

import datetime as dt
import html
import re
import socket

import pytest
import requests

from tests.html import html_of
from tests.whatsapp.conftest import send_message
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.sandbox import courier, media, phones, uploads
from trochai.whatsapp.sandbox.phones import Message, Phones
from trochai.whatsapp.sandbox.uploads import Uploads
from trochai.whatsapp.webhooks.parsing import (
    InboundMessage,
    MarketingPreference,
    MessageEcho,
    MessageStatus,
    events,
)

MARIA = "+50688881234"
NOW = dt.datetime.now(tz=dt.UTC)
LISTING = payloads.template({"name": "listing_followup", "language": {"code": "es"}})
NUMBER_REQUEST = payloads.template({"name": "number_request", "language": {"code": "es"}, "components": []})
REMINDER = payloads.template(
    {
        "name": "visit_reminder",
        "language": {"code": "es"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": text} for text in ("María", "Casa EC-204", "sábado 28")
                ],
            }
        ],
    }
)


class Visitor:
    """A browser without a script: it sends the forms of the pages that it has got."""

    def __init__(self, url):
        self.url = url
        self.phone = ""

    def take(self, number=MARIA, name="María Jiménez"):
        """Take a phone, as "New phone" does."""
        answer = self._post(self.look("/"), "/phones/", number=number, name=name)
        self.phone = requests.compat.urlsplit(answer.url).path
        return self

    def look(self, path=""):
        answer = requests.get(f"{self.url}{path or self.phone}", timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.text

    @property
    def page(self):
        return html.unescape(html_of(self.look()))

    @property
    def thread(self):
        return re.search(r'role="log".*?<form class="composer"', self.page, re.DOTALL)[0]

    def act(self, name, **fields):
        return self._post(self.look(), f"{self.phone}{name}/", **fields)

    def _post(self, page, path, **fields):
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        return requests.post(self.url + path, data={"csrfmiddlewaretoken": token, **fields}, timeout=5)


@pytest.fixture
def maria(with_app):
    return Visitor(with_app.url).take()


@pytest.fixture
def send(with_app, channel):
    """Send to somebody as a worker does, and return the message's id."""

    def send(content, to=MARIA):
        recipient = {"recipient": to} if "." in to else {"to": to}
        sent = send_message(client_for(channel), recipient=recipient, content=content, reference="attempt:7")
        assert with_app.wait_idle()
        return sent.message_id

    return send


@pytest.fixture
def told(app, with_app):
    """What the app has understood of all that it was told, of one kind of event."""

    def told(kind):
        assert with_app.wait_idle()
        found = (event for payload in app.payloads for _, event in events(payload, received_at=NOW))
        return [event for event in found if isinstance(event, kind)]

    return told


def statuses(told):
    return [event.status for event in told(MessageStatus)]


# What the app sends --------------------------------------------------------------------------------


def test_a_message_arrives_on_the_phone_of_whom_it_is_for(maria, send):
    send(payloads.text("¿Le funciona el *sábado*?"))
    send(payloads.text("No es para María"), to="+50688885555")
    assert "¿Le funciona el <b>sábado</b>?" in maria.thread
    assert "No es para María" not in maria.thread


def test_somebody_who_has_no_phone_yet_gets_one_with_the_first_message(with_app, send):
    send(payloads.text("Buenos días"))
    send(payloads.text("Hi"), to="CR.7000000000000002")
    page = html_of(Visitor(with_app.url).look("/"))
    assert "+506 8888 1234" in page
    assert "CR.7000000000000002" in page


def test_a_template_arrives_with_its_values_and_its_button_answers_once(maria, send, told):
    message_id = send(REMINDER)
    assert "Su visita con Casa Verde" in maria.thread
    assert "Hola María, le recordamos su visita a Casa EC-204 el sábado 28." in maria.thread
    for _ in range(2):
        answer = maria.act("tap", message=message_id, button="0")
    assert answer.status_code == 422
    (event,) = told(InboundMessage)
    assert (event.kind, event.text) == ("button", "Confirmar")
    assert event.content["context"]["id"] == message_id
    assert maria.thread.count("disabled") == 2


def test_a_hidden_number_is_shared_with_the_button_that_asks_for_it(maria, send, told):
    maria.act("switches", is_on="on", shows_read="on")
    message_id = send(NUMBER_REQUEST)
    maria.act("tap", message=message_id, button="0")
    (event,) = told(InboundMessage)
    assert (event.kind, event.from_phone, event.given_phone) == ("contacts", "", "+50688881234")
    assert event.content["context"]["id"] == message_id
    assert maria.act("tap", message=message_id, button="0").status_code == 422


def test_a_file_that_the_app_sends_is_shown_and_can_do_nothing(maria, with_app, channel, send):
    client = client_for(channel)
    for data, mime_type in ((media.photo(), "image/jpeg"), (b"<script>alert(1)</script>", "text/html")):
        body = {"messaging_product": "whatsapp", "type": mime_type}
        answer = requests.post(
            f"{client._base_url}/{channel.phone_number_id}/media",
            data=body,
            files={"file": ("casa", data, mime_type)},
            headers={"Authorization": f"Bearer {channel.access_token}"},
            timeout=5,
        )
        media_id = answer.json()["id"]
        send(payloads.media("image", media_id, caption="Es esta"))
        shown = requests.get(f"{with_app.url}/phones/files/{media_id}", timeout=5)
        if mime_type == "text/html":
            assert shown.status_code == 404
            assert f"/phones/files/{media_id}" not in maria.thread
        else:
            assert shown.content == data
            assert "sandbox" in shown.headers["Content-Security-Policy"]
            width, height = media.SIZE
            assert f'src="/phones/files/{media_id}"' in maria.thread
            assert f'width="{width}" height="{height}"' in maria.thread


# Switches ------------------------------------------------------------------------------------------


def test_what_is_sent_to_a_phone_that_is_off_arrives_when_it_is_switched_on(maria, send, told):
    maria.act("switches", shows_read="on", shares_number="on")
    send(payloads.text("¿A qué hora?"))
    assert statuses(told) == ["sent"]
    assert "¿A qué hora?" not in maria.thread
    assert "1 message waits" in maria.page
    maria.act("switches", is_on="on", shows_read="on", shares_number="on")
    assert statuses(told) == ["sent", "delivered", "read"]
    assert {event.reference for event in told(MessageStatus)} == {"attempt:7"}
    assert "¿A qué hora?" in maria.thread


def test_a_phone_that_does_not_show_it_never_tells_that_a_message_was_read(maria, send, told):
    maria.act("switches", is_on="on", shares_number="on")
    send(payloads.text("¿A qué hora?"))
    assert statuses(told) == ["sent", "delivered"]


@pytest.mark.parametrize(("ending", "code"), [("1026", 131026), ("1049", 131049), ("1429", 130429)])
def test_a_phone_refuses_messages_with_the_code_that_is_chosen(maria, send, ending, code):
    maria.act("switches", is_on="on", fails_with=ending)
    with pytest.raises(WhatsAppError) as raised:
        send(payloads.text("Hola"))
    assert raised.value.code == code
    maria.act("switches", is_on="on", fails_with="")
    send(payloads.text("Hola otra vez"))
    assert "Hola otra vez" in maria.thread


def test_a_message_may_fail_after_it_was_accepted(maria, send, told):
    maria.act("switches", is_on="on", fails_with="3026")
    send(payloads.text("Hola"))
    (event,) = told(MessageStatus)
    assert (event.status, event.failure.code) == ("failed", 131026)
    assert "Hola" not in maria.thread


def test_a_phone_that_keeps_its_number_to_itself_is_named_by_its_user_id_alone(maria, send, told):
    maria.act("switches", is_on="on", shows_read="on")
    maria.act("write", text="¿Quién soy?")
    send(payloads.text("No sé"))
    maria.act("number", number="+506 8888 9999")
    maria.act("marketing", choice="stop")
    user_id = "CR.50688881234"
    written, moved = told(InboundMessage)
    assert (written.from_phone, written.from_user_id) == ("", user_id)
    assert {(event.phone, event.user_id) for event in told(MessageStatus)} == {("", user_id)}
    assert (moved.from_phone, moved.from_user_id) == ("", user_id)
    assert (moved.moved_to_phone, moved.moved_to_user_id) == ("", "CR.50688889999")
    (preference,) = told(MarketingPreference)
    assert (preference.phone, preference.user_id) == ("", "CR.50688889999")


# What a person does --------------------------------------------------------------------------------


def test_what_somebody_writes_reaches_the_app_and_gets_its_second_tick(maria, told):
    answer = maria.act("write", text="¡Hola!\r\n¿Sigue libre?")
    assert [each.status_code for each in answer.history] == [303]
    (event,) = told(InboundMessage)
    assert (event.from_phone, event.profile_name, event.text) == (
        MARIA,
        "María Jiménez",
        "¡Hola!\n¿Sigue libre?",
    )
    assert 'aria-label="Delivered"' in maria.thread


def test_a_message_that_the_app_does_not_take_keeps_one_tick(maria, app, with_app, monkeypatch):
    monkeypatch.setattr(courier, "RETRIES", ())
    app.answers = [503]
    maria.act("write", text="¡Hola!")
    assert with_app.wait_idle()
    assert "Answered 503" in maria.page
    assert 'aria-label="Sent"' in maria.thread
    assert 'aria-label="Delivered"' not in maria.thread


def test_somebody_quotes_what_they_answer(maria, send, told):
    message_id = send(payloads.text("¿Sábado o domingo?"))
    maria.act("write", text="Sábado", quoted=message_id)
    assert told(InboundMessage)[0].content["context"]["id"] == message_id
    assert maria.thread.count("¿Sábado o domingo?") == 2


@pytest.mark.parametrize(
    ("file", "kind", "shown"),
    [("photo", "image", "<img"), ("voice", "audio", "<audio"), ("location", "location", "Alto de las")],
)
def test_somebody_sends_something_else_than_words(maria, told, file, kind, shown):
    maria.act("send", file=file)
    (event,) = told(InboundMessage)
    assert event.kind == kind
    assert shown in maria.thread


def test_a_reaction_is_taken_back_by_choosing_it_again(maria, send, told):
    message_id = send(payloads.text("Listo"))
    for _ in range(2):
        maria.act("react", message=message_id, emoji="❤️")
    given, taken_back = told(InboundMessage)
    assert (given.kind, given.about, given.text) == ("reaction", message_id, "❤️")
    assert (taken_back.about, taken_back.text) == (message_id, "")
    assert 'aria-pressed="true"' not in maria.thread


def test_the_last_message_is_edited_and_deleted(maria, told):
    maria.act("write", text="El 12")
    maria.act("edit", text="El 21")
    assert "El 21" in maria.thread
    assert "Edited" in maria.thread
    maria.act("delete")
    assert "You deleted this message" in maria.thread
    written, edited, deleted = told(InboundMessage)
    assert (edited.kind, edited.about, edited.text) == ("edit", written.id, "El 21")
    assert (deleted.kind, deleted.about) == ("revoke", written.id)
    assert maria.act("delete").status_code == 422


def test_who_changes_number_is_found_at_the_new_one(maria, send, told):
    maria.act("number", number="+506 8888 9999")
    (event,) = told(InboundMessage)
    assert (event.kind, event.from_phone) == ("system", MARIA)
    assert (event.moved_to_phone, event.moved_to_user_id) == ("+50688889999", "CR.50688889999")
    send(payloads.text("¿Sigue ahí?"), to="+50688889999")
    assert "¿Sigue ahí?" in maria.thread


def test_nobody_takes_the_number_of_another_phone_or_what_is_none(maria, with_app, told):
    Visitor(with_app.url).take("+50688889999", "Karen")
    for number, words in (("+50688889999", "Another phone has this number."), ("8888", "country code")):
        answer = maria.act("number", number=number)
        assert answer.status_code == 422
        assert words in answer.text
    assert told(InboundMessage) == []


def test_who_opts_out_gets_no_more_marketing_until_they_opt_in_again(maria, send, told):
    maria.act("marketing", choice="stop")
    with pytest.raises(WhatsAppError) as raised:
        send(LISTING)
    assert raised.value.code == 131050
    send(REMINDER)
    maria.act("marketing", choice="resume")
    send(LISTING)
    assert [(event.phone, event.opted_out) for event in told(MarketingPreference)] == [
        (MARIA, True),
        (MARIA, False),
    ]


def test_the_business_answers_from_its_own_app(maria, told):
    maria.act("answer", text="Le escribo desde el celular")
    (event,) = told(MessageEcho)
    assert (event.to_phone, event.text) == (MARIA, "Le escribo desde el celular")
    assert "From the Business app" in maria.thread


def test_who_is_made_to_write_by_an_address_writes_on_their_phone(maria, with_app):
    body = {"from": MARIA, "file": "photo", "text": "¿Es esta?"}
    assert requests.post(f"{with_app.url}/sandbox/inbound", json=body, timeout=5).status_code == 200
    assert "¿Es esta?" in maria.thread


@pytest.mark.parametrize("kind", ["event", "template", "hologram", "contacts", "reaction", "location"])
def test_whatever_somebody_is_made_to_send_the_page_shows_it(maria, with_app, kind):
    for node in ({}, [], {"id": 1, "body": ["x"], "name": {}}):
        body = {"from": MARIA, "type": kind, kind: node, "context": {"id": "wamid.X"}}
        assert requests.post(f"{with_app.url}/sandbox/inbound", json=body, timeout=5).status_code == 200
        assert maria.look()


def test_what_was_posted_and_how_the_app_answered_is_listed(maria, app, with_app):
    maria.act("write", text="¡Hola!")
    maria.act("marketing", choice="stop")
    assert with_app.wait_idle()
    log = re.search(r'<ul class="log">.*?</ul>', maria.page, re.DOTALL)[0]
    assert log.index("user_preferences · stop") < log.index("messages · text")
    assert log.count("Answered 200") == 2


def test_what_is_too_long_to_be_sent_is_still_there_to_be_shortened(maria):
    assert "x" * 4097 in maria.act("write", text="x" * 4097).text


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("write", {"text": "  "}),
        ("write", {"text": "x" * 4097}),
        ("edit", {"text": "nothing written yet"}),
        ("react", {"message": "wamid.X", "emoji": "❤️"}),
        ("react", {"message": "wamid.X", "emoji": "x"}),
        ("tap", {"message": "wamid.X", "button": "-1"}),
        ("send", {"file": "../settings.py"}),
    ],
)
def test_what_cannot_be_done_is_refused_in_words_and_tells_the_app_nothing(maria, told, act, fields):
    answer = maria.act(act, **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert told(InboundMessage) == []


# The page ------------------------------------------------------------------------------------------


def test_a_page_asks_again_and_gets_only_what_has_changed(maria):
    version = re.search(r'name="v" value="([^"]+)"', maria.look())[1]
    htmx = {"HX-Request": "true"}
    address = f"{maria.url}{maria.phone}?v={version}"
    assert requests.get(address, headers=htmx, timeout=5).status_code == 204
    maria.act("write", text="¡Hola!")
    changed = requests.get(address, headers=htmx, timeout=5)
    assert changed.status_code == 200
    assert "¡Hola!" in changed.text
    assert "<html" not in changed.text


def test_an_open_page_goes_on_with_another_phone_when_its_own_is_gone(maria):
    answer = requests.get(f"{maria.url}/phones/999/?v=x", headers={"HX-Request": "true"}, timeout=5)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (404, "/")
    answer = requests.get(f"{maria.url}/?v=x", headers={"HX-Request": "true"}, timeout=5)
    assert answer.headers["HX-Redirect"] == maria.phone


def test_what_strangers_write_is_text(maria, with_app):
    nasty = "<script>alert(1)</script>"
    maria.act("write", text=nasty)
    Visitor(with_app.url).take("+50688885555", nasty)
    assert nasty not in maria.look()
    assert html.escape(nasty) in maria.look()


def test_the_page_allows_nothing_from_elsewhere(maria):
    answer = requests.get(maria.url + maria.phone, timeout=5)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    for address in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', answer.text):
        assert requests.get(maria.url + address, timeout=5).status_code == 200, address


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
def test_another_sites_page_does_nothing_here(maria, told, headers):
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', maria.look())[1]
    form = {"csrfmiddlewaretoken": token, "text": "¡Hola!"}
    address = f"{maria.url}{maria.phone}write/"
    assert requests.post(address, data=form, headers=headers, timeout=5).status_code == 403
    assert requests.post(address, data={"text": "¡Hola!"}, timeout=5).status_code == 403
    assert told(InboundMessage) == []


def test_a_name_that_somebody_has_pointed_here_gets_no_page(maria):
    for host, status in (("evil.example", 403), ("localhost", 200), ("[::1]:1", 200), ("[", 403)):
        answer = requests.get(maria.url + maria.phone, headers={"Host": host}, timeout=5)
        assert answer.status_code == status
        assert ("María" in answer.text) is (status == 200)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../trochai/settings.py",
        "/static/..%2Ftrochai/settings.py",
        "/static//etc/passwd",
        "/static/css",
        "/phones/files/../../etc/passwd",
        "/phones/files/8800",
        "/phones/999/",
        "/phones/1/write/",
        "/phones/",
    ],
)
def test_what_is_not_there_is_said_in_words(maria, path):
    with socket.create_connection(("127.0.0.1", int(maria.url.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 404")
    assert "There’s nothing here" in answer


def test_a_form_that_is_too_large_is_refused(maria):
    with socket.create_connection(("127.0.0.1", int(maria.url.rpartition(":")[2])), timeout=5) as raw:
        head = f"POST {maria.phone}write/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n"
        raw.sendall(head.encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 413")


# What is kept --------------------------------------------------------------------------------------


def message(number, **fields):
    return Message(f"wamid.{number}", "text", float(number), False, **fields)


def test_no_more_phones_messages_and_lines_are_kept_than_fit():
    kept = Phones()
    for number in range(phones.MOST_PHONES + 1):
        phone = kept.of("1", f"50688{number:06}", at=0)
        kept.add(phone.pk, message(f"0{number}"))
    assert len(kept.all()) == phones.MOST_PHONES
    assert kept.find("1", "50688000000") is None
    assert kept.message("wamid.00") is None
    for number in range(phones.MOST_MESSAGES + 1):
        kept.add(phone.pk, message(f"1{number}"))
    assert len(kept.get(phone.pk).messages) == phones.MOST_MESSAGES
    for _ in range(phones.MOST_LINES + 1):
        kept.note(phones.Line(0, "messages · text", 200))
    assert len(kept.lines) == phones.MOST_LINES


def test_the_oldest_files_give_way(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    kept = Uploads()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        b"Content-Type: image/png\r\n\r\n123456\r\n--x--\r\n"
    )
    first, second = (kept.take(body, "multipart/form-data; boundary=x") for _ in range(2))
    assert kept.get(first) is None
    assert kept.get(second) == uploads.File("image/png", b"123456")
    assert kept.get(kept.take(b"no form", "text/plain")) is None
