"""``open_pages``: what open inboxes cost, and how soon each shows a message.

``python -m tests.benchmarks.open_pages --pages 200`` runs what docker-compose.yml does: two web processes,
one that holds the streams, one worker that reads webhooks. So many members, twenty an organization, have
their inbox open, each with a stream and the two polls of its page, asked by the rules of
``static/js/polling.js``. First nothing happens, then so many messages a second come in, one a POST, spread
over the organizations. Shown is when the answer to a page's poll has the message in it, and counts from
before the POST.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import re
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.ingestion import Meta, _late, _serves, _used, paced
from tests.benchmarks.measure import print_table
from tests.faults.servers import children, free_port

TEAM = 20
CONVERSATIONS = 40
# Seconds, as in static/js/polling.js.
SPREAD, PAUSE, REST, TOLD = 0.15, 0.7, 4, 60
VERSION = re.compile(r'name="v" value="([^"]+)"')
BELL = re.compile(r"&amp;v=([^\"]+)\"")
SAID = re.compile(r"message (\d+)\b")


@dataclass
class Seen:
    """What all pages see; ``posted`` and ``lags`` in seconds."""

    posted: dict[int, float] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    asked: int = 0
    news: int = 0


@dataclass
class Page:
    """One member's inbox."""

    web: str
    live: str
    session: str
    seen: Seen
    version: str = ""
    bell: str = ""
    known: set[int] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    moment: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: Any, opened: asyncio.Semaphore) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(client, opened))
            group.create_task(self._ask_when_told(client))

    @property
    def _headers(self) -> dict[str, str]:
        return {
            "Cookie": f"sessionid={self.session}",
            "X-Forwarded-Proto": "https",
            "HX-Request": "true",
            "Host": "localhost",
        }

    async def _listen(self, client: Any, opened: asyncio.Semaphore) -> None:
        await opened.acquire()
        async with client.get(f"{self.live}/events", headers=self._headers, timeout=None) as stream:
            assert stream.status == 200, stream.status
            opened.release()
            async for line in stream.content:
                if line.startswith(b"id: "):
                    self.moment = line[4:].decode().strip()
                elif line.startswith(b"data: "):
                    self.seen.news += 1
                    self.kinds.update(line.decode().split()[1:])
                    self.told.set()

    async def _ask_when_told(self, client: Any) -> None:
        rest = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOLD * (0.5 + random.random() / 2)):
                    await self.told.wait()
            await asyncio.sleep(random.random() * SPREAD)
            self.told.clear()
            begun = time.monotonic()
            kinds, self.kinds = self.kinds, set()
            # The inbox counts unread conversations itself.
            polls = [self._inbox(client)] if "conversations" in kinds or not kinds else []
            polls += [self._bell(client)] if "notices" in kinds or not kinds else []
            await asyncio.gather(*polls)
            rest = max(PAUSE, REST * (time.monotonic() - begun))
            await asyncio.sleep(max(0.0, begun + rest - time.monotonic()))

    async def _inbox(self, client: Any) -> None:
        html = await self._get(client, "/inbox/poll/", {"open": "", "v": self.version, "moment": self.moment})
        if found := VERSION.search(html):
            self.version = found[1]
        now = time.time()
        for number in {int(each) for each in SAID.findall(html)} - self.known:
            self.known.add(number)
            if at := self.seen.posted.get(number):
                self.seen.lags.append(now - at)

    async def _bell(self, client: Any) -> None:
        html = await self._get(client, "/notifications/bell/", {"v": self.bell, "section": "inbox"})
        if found := BELL.search(html):
            self.bell = found[1]

    async def _get(self, client: Any, path: str, query: dict[str, str]) -> str:
        async with client.get(self.web + path, params=query, headers=self._headers) as answer:
            assert answer.status in {200, 204}, answer.status
            self.seen.asked += 1
            return await answer.text()


def fill(pages: int) -> list[tuple[Any, list[str]]]:
    """Make the organizations; return each one's channel and its members' sessions."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from tests import factories
    from trochai.accounts.models import User

    sessions = import_module(settings.SESSION_ENGINE)
    made, numbers = [], itertools.count()
    for _team in range(max(1, pages // TEAM)):
        channel = factories.ChannelFactory()
        for _each in range(CONVERSATIONS):
            conversation = factories.ConversationFactory(organization=channel.organization, channel=channel)
            factories.MessageFactory(conversation=conversation, text="Hola")
        keys = []
        for _member in range(min(TEAM, pages)):
            # Without a password, which would take a second each to hash.
            user = User.objects.create(email=f"member{next(numbers)}@example.test", name="Inés Mora")
            factories.MembershipFactory(organization=channel.organization, user=user)
            session = sessions.SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.create()
            keys.append(session.session_key)
        made.append((channel, keys))
    return made


def commands(web: int, live: int) -> list[list[str]]:
    gunicorn = ["gunicorn", "--log-level", "warning", "--no-control-socket"]
    serves = [*gunicorn, "trochai.wsgi", "--bind", f"127.0.0.1:{web}"]
    serves += ["--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    tells = [*gunicorn, "trochai.live.asgi", "--bind", f"127.0.0.1:{live}"]
    tells += ["--worker-class", "trochai.live.worker.Worker"]
    reads = ["celery", "--app", "trochai", "worker", "--pool", "threads", "--concurrency", "4"]
    reads += ["--loglevel", "WARNING", "--queues", "webhooks"]
    return [processes.python(*command) for command in (serves, tells, reads)]


def message(number: int) -> dict[str, Any]:
    sender = f"5067{number % 1000:07d}"
    node = {"from": sender, "id": f"wamid.live.{number}", "timestamp": str(int(time.time()))}
    node |= {"type": "text", "text": {"body": f"message {number} for you"}}
    return {"contacts": [{"profile": {"name": "Inés"}, "wa_id": sender}], "messages": [node]}


async def watched(teams: list[tuple[Any, list[str]]], options: Any, parts: dict, backend: int) -> list[Any]:
    import aiohttp

    seen, rows = Seen(), []
    web, live = options.web, options.live
    pages = [Page(web, live, session, seen) for _channel, keys in teams for session in keys]
    metas = [
        Meta(
            f"{web}/webhooks/whatsapp/{channel.uuid}/",
            channel.waba_id,
            channel.phone_number_id,
            channel.app_secret.encode(),
        )
        for channel, _keys in teams
    ]
    empty = sum(map(processes.memory, parts["live"]))
    # As the proxy does.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as client:
        opened = asyncio.Semaphore(50)
        open_pages = [asyncio.create_task(page.run(client, opened)) for page in pages]
        # Each has looked once, and heard the stream's first words.
        for page in pages:
            page.told.set()
        await asyncio.sleep(10 + len(pages) / 25)
        held = sum(map(processes.memory, parts["live"])) - empty
        print(f"{held * 1024 / len(pages):.0f} KB a stream", flush=True)
        for name, per_second in (("idle", 0), (f"{options.messages} messages a second", options.messages)):
            before, asked, news, begun = _used(parts, backend), seen.asked, seen.news, time.monotonic()
            async with asyncio.TaskGroup() as group:
                if per_second:
                    numbers = itertools.count(1)
                    async for _now in paced(per_second, seconds=options.seconds):
                        number = next(numbers)
                        seen.posted[number] = time.time()
                        meta = metas[number % len(metas)]
                        group.create_task(meta.post(client, name, [message(number)]))
                else:
                    await asyncio.sleep(options.seconds)
            took = time.monotonic() - begun
            spent = {part: used - before[part] for part, used in _used(parts, backend).items()}
            asked, news = seen.asked - asked, seen.news - news
            await asyncio.sleep(10)
            lags = sorted(1000 * lag for lag in seen.lags)
            shown = f"{lags[len(lags) // 2]:,.0f}, {_late(lags):,.0f}" if lags else "–"
            cores = ", ".join(f"{spent[part] / took:.2f}" for part in ("web", "live", "reads", "PostgreSQL"))
            rows.append([str(len(pages)), name, f"{asked / took:.1f}, {news / took:.0f}", cores, shown])
        assert not any(page.done() for page in open_pages), [page for page in open_pages if page.done()]
        for page in open_pages:
            page.cancel()
        await asyncio.gather(*open_pages, return_exceptions=True)
    return rows


def measure(options: argparse.Namespace) -> None:
    """Run in the database that the environment names, and print what was seen."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from trochai.celery import app

    call_command("migrate", verbosity=0)
    teams = fill(options.pages)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    web, live = free_port(), free_port()
    options.web, options.live = f"http://localhost:{web}", f"http://localhost:{live}"
    with processes.running(commands(web, live)) as (serves, tells, reads):
        for port in (web, live):
            processes.wait_until("serving", lambda port=port: _serves(port), seconds=processes.START)
        processes.wait_until(
            "a worker", lambda: len(app.control.ping(timeout=1)) == 1, seconds=processes.START
        )
        parts = {
            "web": [serves, *children(serves)],
            "live": [tells, *children(tells)],
            "reads": [reads],
            "this": [os.getpid()],
        }
        rows = asyncio.run(watched(teams, options, parts, backend))
    cores = "cores: web, live, worker, PostgreSQL"
    print_table(["pages", "", "polls, events a second", cores, "shown after ms (median, 99 %)"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--messages", type=int, default=20, help="a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--measure", action="store_true", help="in the database named by DATABASE_URL")
    options = parser.parse_args()
    if options.measure:
        measure(options)
        return
    processes.stop_on_sigterm()
    with processes.Database() as database:
        environment = {**database.environment(), "DJANGO_SETTINGS_MODULE": "trochai.settings"}
        command = processes.python("tests.benchmarks.open_pages", "--measure")
        for name in ("pages", "messages", "seconds"):
            command += [f"--{name}", str(getattr(options, name))]
        subprocess.run(command, cwd=processes.ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
