"""The web process while its database is away: refused, or swallowing every packet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.faults.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent
SESSION = {"sessionid": "a" * 32}
# Seconds. It is 2 by itself; a busy machine takes longer to answer anything.
SOON = 15
PAGES = ("/inbox/", "/followups/", "/admin/")


@pytest.fixture(params=["refuses", "never answers"])
def web(request) -> Iterator[str]:
    """A real web process whose database is away; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = silent.getsockname()[1]
        if request.param == "refuses":
            silent.close()
        port = free_port()
        environment = {
            **os.environ,
            "DATABASE_URL": f"postgres://nobody@127.0.0.1:{database}/nothing",
            "DEBUG": "0",
            "SECRET_KEY": "x7" * 40,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "0",
            # Neither Meta nor Redis is asked for anything.
            "SILENCED_SYSTEM_CHECKS": "trochai.E003,trochai.E005",
        }
        command = [sys.executable, "-m", "gunicorn", "trochai.wsgi", "--bind", f"127.0.0.1:{port}"]
        with subprocess.Popen(
            [*command, "--threads", "4", "--no-control-socket"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                wait_until(lambda: _listens(port), "the web process to listen")
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_healthz_needs_nothing_and_a_page_says_soon_that_there_is_none(web):
    health = requests.get(f"{web}/healthz", cookies=SESSION, timeout=SOON)
    assert (health.status_code, health.text) == (200, "ok")
    for path in PAGES:
        page = requests.get(f"{web}{path}", cookies=SESSION, timeout=SOON, allow_redirects=False)
        assert page.status_code == 503
        assert "Trochai is not available right now" in page.text
        assert page.headers["Retry-After"] == "30"
