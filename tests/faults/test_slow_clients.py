"""Clients that send a byte now and then: ``pytest tests/faults/test_slow_clients.py --long -s``.

The long form holds on for two minutes, and shows beside it what the same clients do to a web server without
the proxy.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

import pytest
import requests
import urllib3

from tests.faults.servers import Proxy

CLIENTS = 48
HEADER = b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def proxy(installation):
    installation.environment["TRUSTED_PROXIES"] = "1"
    installation.web()
    proxy = Proxy(installation.web_port, installation.live_port)
    proxy.start()
    urllib3.disable_warnings()
    yield proxy
    proxy.remove()


class SlowClients:
    """Connections that each send a byte every half second: a third of the header, the rest of a body."""

    def __init__(self, port, *, encrypted):
        self._port = port
        self._encrypted = encrypted
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._drip, args=[n], daemon=True) for n in range(CLIENTS)]
        self.refused = 0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_exception):
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _drip(self, number):
        head = HEADER if number % 3 == 0 else HEADER + b"Content-Length: 10000\r\n\r\n"
        while not self._stopped.is_set():
            with contextlib.suppress(OSError), self._connected() as connection:
                connection.sendall(head)
                while not self._stopped.wait(0.5):
                    connection.sendall(b"x")
            self.refused += not self._stopped.is_set()

    def _connected(self):
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        if not self._encrypted:
            return plain
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain)


def seconds_of_pages(url, *, until, **options):
    """Ask for the sign-in page all the time; return how long each took, 10 s being the most one waits."""
    took = []
    while not took or time.monotonic() < until:
        began = time.monotonic()
        with contextlib.suppress(requests.Timeout):
            page = requests.get(f"{url}/sign-in/", timeout=10, **options)
            assert page.status_code == 200
        took.append(time.monotonic() - began)
    return sorted(took)


def test_slow_clients_hold_up_nobody_behind_the_proxy(installation, proxy, is_long):
    lasts = 120 if is_long else 5
    with SlowClients(proxy.port, encrypted=True):
        took = seconds_of_pages(proxy.url, until=time.monotonic() + lasts, verify=False)
    print(f"{len(took)} pages, {took[len(took) // 2]:.3f} s (median), {took[-1]:.3f} s at most")
    assert took[-1] < 10
    if is_long:
        tls = {"X-Forwarded-Proto": "https"}
        web = f"http://127.0.0.1:{installation.web_port}"
        with SlowClients(installation.web_port, encrypted=False):
            took = seconds_of_pages(web, until=time.monotonic() + 30, headers=tls)
        print(f"without the proxy: {len(took)} pages, {took[len(took) // 2]:.3f} s, {took[-1]:.3f} s at most")


def test_what_a_client_says_of_itself_is_replaced(installation, proxy):
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http", "Forwarded": "for=203.0.113.7"}
    answer = requests.get(f"{proxy.url}/sign-in/", headers=forged, verify=False, timeout=10)
    assert answer.status_code == 200  # a redirect to https if it were believed
    assert "203.0.113.7" not in installation.logs()
    assert "'127.0.0.1'" in installation.logs() or '"ip": "127.0.0.1"' in installation.logs()


def test_bodies_have_limits_and_plain_http_leads_to_tls(proxy):
    def posted(path, size):
        return requests.post(proxy.url + path, data=b"x" * size, verify=False, timeout=10).status_code

    webhook = "/webhooks/whatsapp/00000000-0000-0000-0000-000000000000/"
    assert posted("/sign-in/", 300_000) == 413
    assert posted(webhook, 3_500_000) == 404
    assert posted(webhook, 5_000_000) == 413
    plain = f"http://127.0.0.1:{proxy.plain_port}"
    moved = requests.get(f"{plain}/inbox/", allow_redirects=False, timeout=10)
    assert (moved.status_code, moved.headers["Location"]) == (301, "https://127.0.0.1/inbox/")
    assert requests.get(f"{plain}/.well-known/acme-challenge/token", timeout=10).text == "proof"
