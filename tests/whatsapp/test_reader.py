"""Reading from Meta: one bounded call, whatever the other side does, and no request in an error."""

from __future__ import annotations

import re
import socket
import threading
import tomllib
from pathlib import Path

import pytest

import trochai
from trochai.whatsapp.cloud_api.reader import Reader
from trochai.whatsapp.cloud_api.transport import MAX_ANSWER, NoAnswer, NotSent

TOKEN = {"Authorization": "Bearer secret"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


def read(url, *, read_timeout=0.3):
    return Reader(0.3, read_timeout).get(url, headers=TOKEN, params={"limit": "1"})


@pytest.fixture
def raw_server():
    """Serve connections with a function that gets the socket; return the address."""
    servers, ends = [], threading.Event()

    def start(serve):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run():
            connection, _address = server.accept()
            with connection:
                connection.recv(4096)
                serve(connection, ends)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield start
    ends.set()
    for server in servers:
        server.close()


def test_an_answer_comes_back_whole_with_its_status(httpserver):
    httpserver.expect_request("/x", query_string="limit=1").respond_with_data("no", status=404)
    answer = read(httpserver.url_for("/x"))
    assert (answer.status, answer.body) == (404, b"no")


def test_nothing_that_listens_means_that_nothing_was_read():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with pytest.raises((NotSent, NoAnswer)):
        read(url)


def test_a_server_that_answers_a_byte_at_a_time_holds_nobody(raw_server):
    def drip(connection, ends):
        connection.sendall(HEAD)
        while not ends.wait(0.05):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    with pytest.raises(NoAnswer):
        read(raw_server(drip))


@pytest.mark.parametrize("begin", [b"", HEAD, HEAD + b"some"])
def test_a_server_that_falls_silent_holds_nobody(raw_server, begin):
    with pytest.raises(NoAnswer):
        read(raw_server(lambda connection, ends: (connection.sendall(begin), ends.wait(5))))


def test_an_answer_that_breaks_off_is_none(raw_server):
    with pytest.raises(NoAnswer):
        read(raw_server(lambda connection, _ends: connection.sendall(HEAD + b"some")))


def test_an_answer_that_is_too_long_is_not_kept(httpserver):
    httpserver.expect_request("/x").respond_with_data(b"x" * (MAX_ANSWER + 1))
    with pytest.raises(NoAnswer):
        read(httpserver.url_for("/x"), read_timeout=5)


def test_a_redirect_is_an_answer_and_not_followed(httpserver):
    httpserver.expect_request("/x").respond_with_data("", status=302, headers={"Location": "/y"})
    assert read(httpserver.url_for("/x")).status == 302
    assert len(httpserver.log) == 1


def test_nothing_of_this_machine_replaces_the_token(httpserver, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine localhost login other password word\nmachine 127.0.0.1 login other password word\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/x", headers=TOKEN).respond_with_data("ours")
    assert read(httpserver.url_for("/x")).body == b"ours"


def test_an_error_holds_nothing_of_the_request(raw_server):
    with pytest.raises(NoAnswer) as raised:
        read(raw_server(lambda _connection, ends: ends.wait(5)))
    assert raised.value.__context__ is raised.value.__cause__ is None
    assert "secret" not in repr(raised.value)


def test_calls_say_which_version_of_trochai_makes_them(httpserver):
    """Meta's schema wants a name, a slash and a version of three numbers."""
    httpserver.expect_request("/x").respond_with_data("")
    read(httpserver.url_for("/x"))
    agent = httpserver.log[0][0].headers["User-Agent"]
    assert re.fullmatch(r"trochai/\d+\.\d+\.\d+", agent)
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert agent == f"trochai/{project['version']}" == f"trochai/{trochai.__version__}"
