from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
import traceback

import pytest
from werkzeug import Response

from tests.factories import ChannelFactory
from tests.whatsapp.conftest import send_message
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.client import Accepted, WhatsAppClient, client_for
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
)
from trochai.whatsapp.cloud_api.guard import NoCallsMiddleware
from trochai.whatsapp.cloud_api.reader import Reader
from trochai.whatsapp.cloud_api.transport import MAX_ANSWER, AsyncTransport, NoAnswer

TOKEN = "EAAGsecretTokenThatNobodyMaySee123"
TO = {"to": "+50688881234"}
ACCEPTED = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": "+50688881234", "wa_id": "50688881234"}],
    "messages": [{"id": "wamid.A"}],
}
PATH = "/v25.0/42/messages"
READ_TIMEOUT = 0.4


def make_client(url, *, token=TOKEN):
    return WhatsAppClient(
        phone_number_id="42", token=token, base_url=f"{url}/v25.0", reader=Reader(0.4, READ_TIMEOUT)
    )


@pytest.fixture(params=[payloads.text("Hola"), payloads.template({"name": "a", "language": {"code": "es"}})])
def send(request):
    """Send a message of either kind, all over one transport; what comes of them must be the same."""
    with asyncio.Runner() as runner:
        transport = runner.run(_transport())
        yield lambda client: runner.run(
            client.send(recipient=TO, content=request.param, reference="message:1", transport=transport)
        )
        runner.run(transport.close())


async def _transport():
    return AsyncTransport(connect_timeout=0.4, read_timeout=READ_TIMEOUT)


@pytest.fixture
def meta(httpserver):
    return httpserver


@pytest.fixture
def to_meta(meta):
    return make_client(meta.url_for("").rstrip("/"))


@contextlib.contextmanager
def raw_server(talk):
    """Run ``talk(connection)`` for each connection to a local port."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    stopped = threading.Event()

    def serve():
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(0.5)
                    talk(connection, stopped)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        stopped.set()
        thread.join()
        server.close()


def test_an_accepted_message_brings_its_id_and_sends_what_meta_expects(meta, to_meta):
    meta.expect_request(
        PATH,
        method="POST",
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        json={
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+50688881234",
            "biz_opaque_callback_data": "attempt:7",
            "type": "template",
            "template": {"name": "visit_reminder", "language": {"code": "es"}},
        },
    ).respond_with_json(ACCEPTED)
    template = {"name": "visit_reminder", "language": {"code": "es"}}
    accepted = send_message(to_meta, recipient=TO, content=payloads.template(template), reference="attempt:7")
    assert accepted == Accepted("wamid.A", "50688881234")


def test_a_user_id_is_answered_with_a_user_id(meta, to_meta):
    answer = {**ACCEPTED, "contacts": [{"input": "CR.1a", "user_id": "CR.1a"}]}
    meta.expect_request(PATH).respond_with_json(answer)
    accepted = send_message(
        to_meta, recipient={"recipient": "CR.1a"}, content=payloads.text("Hola"), reference="message:1"
    )
    assert accepted.wa_id == "CR.1a"


@pytest.mark.parametrize("status", ["held_for_quality_assessment", "paused", "something_new"])
def test_a_message_that_meta_holds_back_is_accepted(meta, to_meta, status, send):
    answer = {**ACCEPTED, "messages": [{"id": "wamid.H", "message_status": status}]}
    meta.expect_request(PATH).respond_with_json(answer)
    assert send(to_meta).message_id == "wamid.H"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"messages": []},
        {"messages": [{}]},
        {"messages": [{"id": ""}]},
        {"messages": [{"id": 5}]},
        {"messages": "x"},
        [],
    ],
)
def test_200_without_a_message_id_is_an_unknown_outcome(meta, to_meta, answer, send):
    meta.expect_request(PATH).respond_with_json(answer)
    with pytest.raises(OutcomeUnknown):
        send(to_meta)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("<html>Sorry</html>", 200, OutcomeUnknown),
        ("", 200, OutcomeUnknown),
        ('{"messages": [{"id": "wam', 200, OutcomeUnknown),
        ("<html>Bad gateway</html>", 502, OutcomeUnknown),
        ("", 500, OutcomeUnknown),
        ("", 503, TemporaryError),
        ("Too many", 429, TemporaryError),
        ("Not found", 404, PermanentError),
        ('{"error": {"code": 190, "message": "expired"}}', 401, ChannelError),
        ('{"error": {"code": 130429, "message": "rate"}}', 200, TemporaryError),
        ('{"error": {"code": 131026, "message": "no"}}', 500, PermanentError),
        ('{"error": {"code": 555555, "message": "new"}}', 500, TemporaryError),
        ('{"error": {"code": 555555, "message": "new"}}', 400, PermanentError),
    ],
)
def test_each_kind_of_answer_has_its_error(meta, to_meta, body, status, kind, send):
    meta.expect_request(PATH).respond_with_data(body, status=status)
    with pytest.raises(WhatsAppError) as raised:
        send(to_meta)
    assert type(raised.value) is kind
    assert raised.value.http_status == status


def test_a_redirect_is_not_followed(meta, to_meta, send):
    meta.expect_request(PATH).respond_with_data("", 307, headers={"Location": meta.url_for("/elsewhere")})
    with pytest.raises(OutcomeUnknown):
        send(to_meta)
    assert len(meta.log) == 1


def test_an_answer_that_does_not_end_is_not_read_to_the_end(meta, to_meta, send):
    meta.expect_request(PATH).respond_with_data(b" " * (MAX_ANSWER + 1))
    with pytest.raises(OutcomeUnknown):
        send(to_meta)


def test_cookies_are_not_kept(meta, to_meta, send):
    meta.expect_request(PATH).respond_with_json(ACCEPTED, headers={"Set-Cookie": "a=b; Path=/"})
    send(to_meta)
    send(to_meta)
    assert "Cookie" not in meta.log[1][0].headers


def test_a_refused_connection_was_surely_not_sent(send):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TemporaryError, match="not_reached"):
        send(make_client(f"http://127.0.0.1:{port}"))


def test_a_name_that_does_not_resolve_was_surely_not_sent(send):
    with pytest.raises(TemporaryError):
        send(make_client("http://nobody.invalid"))


def test_a_connection_that_is_never_taken_was_surely_not_sent(send):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = []
        for _ in range(4):
            attempt = socket.socket()
            attempt.setblocking(False)
            attempt.connect_ex(address)
            waiting.append(attempt)
        try:
            with pytest.raises(TemporaryError) as raised:
                send(make_client(f"http://127.0.0.1:{address[1]}"))
        finally:
            for attempt in waiting:
                attempt.close()
    assert raised.value.details in {"ConnectTimeout", "ConnectionTimeoutError"}


def test_a_failed_tls_handshake_was_surely_not_sent(send):
    def talk(connection, stopped):
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_server(talk) as url, pytest.raises(TemporaryError) as raised:
        send(make_client(url.replace("http:", "https:")))
    assert raised.value.details in {"SSLError", "ClientConnectorSSLError"}


def test_proxies_of_the_environment_are_not_used(monkeypatch, meta, to_meta, send):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    meta.expect_request(PATH).respond_with_json(ACCEPTED)
    assert send(to_meta).message_id == "wamid.A"


def test_no_answer_within_the_read_timeout_is_an_unknown_outcome(send):
    def talk(connection, stopped):
        connection.recv(65536)
        stopped.wait(5)

    with raw_server(talk) as url, pytest.raises(OutcomeUnknown) as raised:
        send(make_client(url))
    assert "may have reached the contact" in raised.value.reason


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70000,
    ],
)
def test_a_connection_that_breaks_after_the_request_is_an_unknown_outcome(answer, send):
    def talk(connection, stopped):
        connection.recv(65536)
        connection.sendall(answer)

    with raw_server(talk) as url, pytest.raises(OutcomeUnknown):
        send(make_client(url))


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_server_that_drips_holds_the_call_no_longer_than_both_timeouts_together(head, send):
    def talk(connection, stopped):
        connection.recv(65536)
        connection.sendall(head)
        with contextlib.suppress(OSError):
            while not stopped.wait(0.1):
                connection.sendall(b" " if head else b"H")

    with raw_server(talk) as url:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            send(make_client(url))
        assert time.monotonic() - began < 1.5


def test_the_connection_is_kept_alive_and_used_again(send):
    ports = []

    def talk(connection, stopped):
        ports.append(connection.getpeername()[1])
        body = b'{"messages": [{"id": "wamid.K"}]}'
        while not stopped.is_set() and connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with raw_server(talk) as url:
        client = make_client(url)
        assert [send(client).message_id for _ in range(3)] == ["wamid.K"] * 3
        assert len(ports) == 1


def test_a_connection_that_idled_long_is_not_trusted_with_a_message(no_idling, send):
    ports = []

    def talk(connection, stopped):
        ports.append(connection.getpeername()[1])
        body = b'{"messages": [{"id": "wamid.K"}]}'
        with contextlib.suppress(OSError):
            while not stopped.is_set() and connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with raw_server(talk) as url:
        client = make_client(url)
        send(client)
        send(client)
    assert len(ports) == 2


@pytest.fixture
def no_idling(monkeypatch):
    monkeypatch.setattr("trochai.whatsapp.cloud_api.transport.MAX_IDLE", 0)


def test_a_channel_without_a_token_is_not_connected(meta, send):
    for token in ("", "  ", "two words", "line\nbreak", "ñandú"):
        with pytest.raises(ChannelError, match="not_connected"):
            send(make_client(meta.url_for(""), token=token))
    assert not meta.log


@pytest.mark.parametrize(
    ("recipient", "text"),
    [
        ({"to": "88881234"}, "Hola"),
        ({"to": "+506 8888 1234"}, "Hola"),
        ({"recipient": "someone"}, "Hola"),
        ({}, "Hola"),
        (TO, "  "),
        (TO, "x" * 4097),
    ],
)
def test_what_meta_would_surely_refuse_is_refused_without_a_call(meta, to_meta, recipient, text):
    with pytest.raises(PermanentError):
        send_message(to_meta, recipient=recipient, content=payloads.text(text), reference="message:1")
    assert not meta.log


def everything_that_could_be_shown(error):
    """The error's texts, its traceback, and those of every exception behind it."""
    seen = []
    while error is not None:
        seen += [str(error), repr(error), repr(error.args), repr(vars(error))]
        frames = traceback.TracebackException.from_exception(error, capture_locals=True)
        seen += list(frames.format())
        error = error.__cause__ or error.__context__
    return "\n".join(seen)


@pytest.mark.parametrize("answer", [500, 200, 401, "hang up", "refuse", "slow"])
def test_the_token_never_shows_in_an_error_its_traceback_or_the_log(meta, caplog, answer, send):
    caplog.set_level(logging.DEBUG)
    url = meta.url_for("").rstrip("/")
    if answer == "refuse":
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
    elif answer == "slow":
        meta.expect_request(PATH).respond_with_handler(lambda request: time.sleep(0.5) or Response("{}"))
    elif answer == "hang up":
        meta.expect_request(PATH).respond_with_data(b"", headers={"Content-Length": "10"})
    else:
        message = f"Malformed access token {TOKEN}"
        body = {"error": {"message": message, "code": 190 if answer == 401 else 999999}}
        meta.expect_request(PATH).respond_with_json(body, status=answer)
    client = make_client(url)
    with pytest.raises(WhatsAppError) as raised:
        send(client)
    error = raised.value
    # This test's own frames hold the token.
    error.__traceback__ = error.__traceback__.tb_next.tb_next
    assert TOKEN not in everything_that_could_be_shown(error)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(client) + str(vars(client))


def test_transport_exceptions_do_not_carry_the_request():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        server.settimeout(0.1)
        with asyncio.Runner() as runner:
            transport = runner.run(_transport())
            with pytest.raises(NoAnswer) as raised:
                runner.run(transport.post(url, headers={"Authorization": "Bearer x"}, body=b"{}"))
            runner.run(transport.close())
    assert raised.value.__context__ is raised.value.__cause__ is None


def test_templates_come_from_every_page_but_only_from_our_host(meta, to_meta):
    path = "/v25.0/77/message_templates"
    first = {
        "data": [{"name": "a"}, {"name": "b"}],
        "paging": {"cursors": {"after": "two"}, "next": "https://evil.example/steal?after=two"},
    }
    last = {"data": [{"name": "c"}, None], "paging": {"cursors": {"after": "end"}}}
    meta.expect_ordered_request(path).respond_with_json(first)
    meta.expect_ordered_request(path).respond_with_json(last)
    assert [row["name"] for row in to_meta.templates("77")] == ["a", "b", "c"]
    assert [request.args.get("after") for request, _ in meta.log] == [None, "two"]
    assert "quality_score" in meta.log[0][0].args["fields"]


@pytest.mark.parametrize(
    "page",
    [
        {"data": [], "paging": {"next": "https://graph.example/?after=same"}},
        {"data": [], "paging": {"cursors": {"after": "same"}, "next": "x"}},
        {"data": None},
        {},
        [],
        "<html>",
    ],
)
def test_a_list_of_templates_that_does_not_end_or_cannot_be_read_is_an_error_not_a_short_list(
    meta, to_meta, page
):
    meta.expect_request("/v25.0/77/message_templates").respond_with_json(page)
    with pytest.raises(TemporaryError):
        list(to_meta.templates("77"))
    assert len(meta.log) <= 3


def test_reading_is_never_an_unknown_outcome(meta, to_meta):
    meta.expect_request("/v25.0/42").respond_with_data("<html>", status=500)
    with pytest.raises(TemporaryError) as raised:
        to_meta.phone_number()
    assert raised.value.http_status == 500


def test_reading_with_a_dead_token_is_the_channels_error(meta, to_meta):
    meta.expect_request("/v25.0/42").respond_with_json({"error": {"code": 190}}, status=401)
    with pytest.raises(ChannelError):
        to_meta.phone_number()


def test_a_channels_client_is_kept_until_its_token_changes(channel):
    first = client_for(channel)
    assert client_for(channel) is first
    assert client_for(ChannelFactory()) is not first
    channel.access_token = "another"
    assert client_for(channel) is not first


@pytest.mark.django_db
def test_a_request_that_would_call_meta_breaks_before_it_does(rf):
    channel = ChannelFactory()
    answer = NoCallsMiddleware(lambda _request: client_for(channel))
    with pytest.raises(RuntimeError, match="leave it to a worker"):
        answer(rf.get("/"))
    assert client_for(channel)  # afterwards, outside of it
