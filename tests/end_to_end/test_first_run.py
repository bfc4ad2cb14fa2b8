"""The first run as a newcomer meets it: ``manage.py up`` with its real processes, nobody helping."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from tests.ports import free_port
from trochai.checks import DEMO_PASSWORD

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see that no process is left"),
]

ROOT = Path(__file__).resolve().parent.parent.parent
T = TypeVar("T")

# The first demo follow-up to fall due among those that nothing special happens to.
FIRST_DUE = """
    SELECT f.id, f.status, f.conversation_id, f.message_id, u.email, t.name AS template
      FROM followups_followup f
      JOIN accounts_user u ON u.id = f.created_by_id
      JOIN templates_app_template t ON t.id = f.template_id
     WHERE f.status = 'pending' AND f.failures = 0
     ORDER BY f.next_attempt_at, f.id
     LIMIT 1
"""


class Trochai:
    """A running ``manage.py up`` on data and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, sandbox_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.log = folder / "up.txt"
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env={
                    **plain,
                    "VAR_DIR": str(folder / "var"),
                    "PORT": str(self.port),
                    "SANDBOX_PORT": str(sandbox_port),
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_for(self, what: str, condition: Callable[[], T | None], seconds: float) -> T:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended while waiting for {what}:\n{self.output()}"
            if (found := condition()) is not None:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {what} after {seconds} seconds:\n{self.output()}")

    def output(self) -> str:
        return self.log.read_text()

    def serves_the_sign_in_page(self) -> bool | None:
        try:
            return requests.get(f"{self.url}/sign-in/", timeout=10).status_code == 200 or None
        except requests.RequestException:
            return None

    def welcomes(self) -> bool | None:
        """Whether the last start has said that it is ready."""
        last = self.output().rpartition("Preparing the database")[2]
        return "Trochai is running" in last or None

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        database = self.folder / "var" / "db.sqlite3"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()

    def value(self, sql: str, *values: object) -> Any:
        return self.query(sql, *values)[0][0]

    def signed_in(self, email: str) -> requests.Session:
        session = requests.Session()
        session.headers["Referer"] = f"{self.url}/sign-in/"
        page = session.get(f"{self.url}/sign-in/", timeout=20).text
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        answer = session.post(
            f"{self.url}/sign-in/",
            {"csrfmiddlewaretoken": token, "username": email, "password": DEMO_PASSWORD},
            timeout=20,
        )
        assert answer.status_code == 200
        assert answer.url.startswith(f"{self.url}/inbox/"), answer.url
        return session

    def processes(self) -> set[int]:
        """Return the supervisor's children and theirs."""
        return set(descendants(self.process.pid))

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def descendants(pid: int) -> Iterator[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in map(int, listed):
        yield child
        yield from descendants(child)


def bell_count(session: requests.Session, url: str) -> int:
    page = session.get(f"{url}/notifications/bell/", timeout=20)
    assert page.status_code == 200
    found = re.search(r'class="count[^"]*">(\d+)', page.text)
    return int(found[1]) if found else 0


@pytest.fixture
def trochai(tmp_path: Path) -> Iterator[Callable[[], Trochai]]:
    runs: list[Trochai] = []

    def start() -> Trochai:
        runs.append(Trochai(tmp_path))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()


def test_a_due_follow_up_is_sent_by_the_running_processes_and_seen_everywhere(trochai):
    run = trochai()
    run.wait_for("sign-in page", run.serves_the_sign_in_page, seconds=60)
    [row] = run.query(FIRST_DUE)
    creator = run.signed_in(row["email"])
    bell_before = bell_count(creator, run.url)
    messages_before = run.value(
        "SELECT count(*) FROM conversations_message WHERE conversation_id = ?", row["conversation_id"]
    )

    seen = []

    def is_sent() -> bool | None:
        status = run.value("SELECT status FROM followups_followup WHERE id = ?", row["id"])
        if seen[-1:] != [status]:
            seen.append(status)
        return status == "sent" or None

    run.wait_for("sent follow-up", is_sent, seconds=150)

    # Pending, then Processing (if we looked in that fraction of a second), then Sent.
    assert seen in (["pending", "processing", "sent"], ["pending", "sent"])
    [attempt] = run.query("SELECT * FROM followups_followupattempt WHERE follow_up_id = ?", row["id"])
    assert attempt["outcome"] == "accepted"

    # The message stands in the conversation, as the contact sees it.
    [message] = run.query(
        "SELECT m.* FROM conversations_message m JOIN followups_followup f ON f.message_id = m.id "
        "WHERE f.id = ?",
        row["id"],
    )
    assert message["conversation_id"] == row["conversation_id"]
    assert message["direction"] == "out"
    assert message["whatsapp_id"]
    messages_now = run.value(
        "SELECT count(*) FROM conversations_message WHERE conversation_id = ?", row["conversation_id"]
    )
    assert messages_now >= messages_before + 1
    thread = creator.get(f"{run.url}/inbox/{row['conversation_id']}/", timeout=20)
    assert thread.status_code == 200
    assert f'id="message-{message["id"]}"' in thread.text

    # The conversation went to the top: above it is only what has news since.
    inbox = creator.get(f"{run.url}/inbox/", timeout=20).text
    shown = list(dict.fromkeys(int(pk) for pk in re.findall(r'id="row-(\d+)"', inbox)))
    above = shown[: shown.index(row["conversation_id"])]
    last_message = "SELECT last_message_at FROM conversations_conversation WHERE id = ?"
    sent_at = run.value("SELECT sent_at FROM followups_followup WHERE id = ?", row["id"])
    assert all(run.value(last_message, pk) >= sent_at for pk in above)
    assert run.value(last_message, row["conversation_id"]) >= message["at"]

    # The creator's bell counts one more for it.
    [notice] = run.query(
        "SELECT * FROM notifications_notification WHERE kind = 'follow_up_sent' AND read_at IS NULL "
        "AND url LIKE ? AND created_at >= ?",
        f"/inbox/{row['conversation_id']}/%",
        attempt["requested_at"],
    )
    assert row["template"] in notice["values"]
    assert bell_count(creator, run.url) >= bell_before + 1

    # The sandbox's webhooks come back, are verified and processed: the message gets its ticks.
    run.wait_for(
        "delivery tick",
        lambda: (
            (
                run.value("SELECT delivery FROM conversations_message WHERE id = ?", message["id"])
                in {"delivered", "read"}
            )
            or None
        ),
        seconds=60,
    )

    processes = run.processes()
    assert len(processes) >= 4
    assert run.interrupt() == 0
    assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []
    # The terminal has what a person wants to read; the file has all of it.
    said, everything = run.output(), (run.folder / "var" / "trochai.log").read_text()
    assert "Traceback" not in everything + said
    for line in ("POST /sign-in/", "follow_up_sent"):
        assert line in said
        assert line in everything
    for line in ("send_due_follow_ups", "GET /inbox/"):
        assert line not in said
        assert line in everything


def test_a_second_start_is_quick_and_keeps_the_data_after_a_kill(trochai):
    first = trochai()
    first.wait_for("sign-in page", first.serves_the_sign_in_page, seconds=60)
    first.wait_for("welcome", first.welcomes, seconds=30)
    joined = first.query("SELECT email, joined_at FROM accounts_user ORDER BY id")
    processes = first.processes()

    # The hardest end: the supervisor gets no chance. The kernel ends its programs.
    first.process.kill()
    first.process.wait()
    # A worker first ends what it is doing, on a busy machine for longer than it needs for that alone.
    deadline = time.monotonic() + 180
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    second = trochai()
    second.wait_for("sign-in page", second.serves_the_sign_in_page, seconds=30)
    second.wait_for("welcome", second.welcomes, seconds=30)
    assert second.query("SELECT email, joined_at FROM accounts_user ORDER BY id") == joined
    assert second.interrupt() == 0
    # It does not promise again what happens only once.
    one, two = second.output().split("Demo data is there already")
    assert "within two minutes" in one
    assert "within two minutes" not in two


def test_a_taken_port_is_a_clear_message_and_nothing_starts(tmp_path):
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        ports = {"PORT": str(port), "SANDBOX_PORT": str(free_port())}
        result = subprocess.run(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **ports},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert f"Port {port} (web) is taken by another program." in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "db.sqlite3").exists()
