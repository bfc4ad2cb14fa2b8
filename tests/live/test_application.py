"""The application that browsers talk to, spoken to as gunicorn does."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.urls import reverse

from tests.conftest import make_team, signed_in
from trochai.accounts.models import Membership
from trochai.live import application
from trochai.live.application import Live
from trochai.live.readers import reader_of, session_key
from trochai.live.streams import Reader
from trochai.news import News

ENOUGH = 5.0


@pytest.fixture
def team(transactional_db):
    """Committed, so that the thread that looks up a session sees it."""
    return make_team()


@pytest.fixture
def live(monkeypatch):
    """The application while it hears what is told."""
    monkeypatch.setattr(application, "PAUSE", 0)
    live = Live()
    live.feed.is_connected = True
    return live


def session_of(membership: Membership) -> str:
    return signed_in(membership).cookies[settings.SESSION_COOKIE_NAME].value


class Connection:
    """A browser's, to one path."""

    def __init__(self, live: Live, *, path: str = "/events", method: str = "GET", session: str = "") -> None:
        cookie = f"theme=dark; {settings.SESSION_COOKIE_NAME}={session}".encode()
        headers = [(b"cookie", cookie)] if session else []
        scope = {"type": "http", "path": path, "method": method, "headers": headers}
        self._talk = ApplicationCommunicator(live, scope)

    async def __aenter__(self):
        await self._talk.send_input({"type": "http.request", "body": b"", "more_body": False})
        self.status = (await self._talk.receive_output(ENOUGH))["status"]
        return self

    async def __aexit__(self, *_exception):
        await self.leave()

    async def read(self) -> str:
        """Return what comes next; empty at the end."""
        return (await self._talk.receive_output(ENOUGH))["body"].decode()

    async def is_silent(self) -> bool:
        return await self._talk.receive_nothing()

    async def leave(self) -> None:
        await self._talk.send_input({"type": "http.disconnect"})
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await self._talk.wait(ENOUGH)


def status_of(live: Live, **request: str) -> int:
    async def ask() -> int:
        async with Connection(live, **request) as connection:
            return connection.status

    return asyncio.run(ask())


def test_a_member_hears_what_changes_for_their_organization_and_nothing_of_another(team, live):
    async def play() -> None:
        async with Connection(live, session=session_of_agent) as connection:
            assert connection.status == 200
            assert "event: hello" in await connection.read()
            live.streams.hear(News(organizations=[team.organization.pk + 1], kinds=["conversations"]))
            assert await connection.is_silent()
            ours = [team.organization.pk]
            live.streams.hear(News(organizations=ours, kinds=["followups", "notices"], moment="a1"))
            assert await connection.read() == "event: changed\nid: a1\ndata: followups notices\n\n"
        assert len(live.streams) == 0

    session_of_agent = session_of(team.agent)
    asyncio.run(play())


def test_silence_is_ended_by_a_sign_of_life_and_a_stream_by_age(team, live, monkeypatch):
    async def play() -> None:
        async with Connection(live, session=session) as connection:
            await connection.read()
            assert await connection.read() == "event: beat\ndata:\n\n"
            while "beat" in (last := await connection.read()):
                pass
            assert last == f"retry: {application.AT_ONCE}\n\n"

    monkeypatch.setattr(application, "HEARTBEAT", 0.01)
    monkeypatch.setattr(application, "LIFE", (0.1, 0.1))
    session = session_of(team.agent)
    asyncio.run(play())


def test_it_ends_when_access_must_be_looked_at_again_and_when_the_process_stops(team, live):
    async def play(end) -> None:
        async with Connection(live, session=session) as connection:
            await connection.read()
            end()
            while await connection.read():
                pass
        assert len(live.streams) == 0

    session = session_of(team.agent)
    asyncio.run(play(lambda: live.streams.hear(News(people=[team.agent.user.pk]))))
    asyncio.run(play(live.stop))
    assert status_of(live, session=session) == 503


def test_nobody_else_gets_a_stream(team, live):
    session = session_of(team.agent)
    assert status_of(live) == 401
    assert status_of(live, session="x" * 32) == 401
    assert status_of(live, session='"; DROP') == 401
    assert status_of(live, session=session, method="POST") == 405
    assert status_of(live, session=session, path="/inbox/") == 404
    assert status_of(live, path="/healthz") == 200
    live.feed.is_connected = False
    assert status_of(live, session=session) == 503, "a page would believe that nothing happens"


def test_who_signs_out_while_they_are_looked_up_gets_no_stream(team, live, monkeypatch):
    def look_up(key: str) -> Reader | None:
        reader = reader_of(key)
        if reader is not None:  # and then, before the stream begins:
            team.agent.delete()
            live.streams.hear(News(people=[reader.person]))
        return reader

    session = session_of(team.agent)
    monkeypatch.setattr(application, "reader_of", look_up)
    assert status_of(live, session=session) == 401
    assert len(live.streams) == 0


def test_a_client_that_takes_nothing_is_left(team, live, monkeypatch):
    async def play() -> None:
        async def stuck(_message):
            await asyncio.sleep(3600)

        async def receive():
            await asyncio.sleep(3600)

        cookie = f"{settings.SESSION_COOKIE_NAME}={session}".encode()
        scope = {"type": "http", "path": "/events", "method": "GET", "headers": [(b"cookie", cookie)]}
        await asyncio.wait_for(live(scope, receive, stuck), ENOUGH)
        assert len(live.streams) == 0

    monkeypatch.setattr(application, "PATIENCE", 0.01)
    session = session_of(team.agent)
    asyncio.run(play())


class TestReaders:
    def test_a_session_reads_for_the_organization_it_works_in(self, team):
        other = make_team()
        Membership.objects.create(user=team.agent.user, organization=other.organization, role="agent")
        client = signed_in(team.agent)
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        assert reader_of(key) == Reader(team.agent.user.pk, team.organization.pk)
        second = Membership.objects.get(user=team.agent.user, organization=other.organization)
        client.post(reverse("accounts:switch_organization", args=[second.pk]))
        assert reader_of(key) == Reader(team.agent.user.pk, other.organization.pk)

    def test_who_is_no_member_or_signed_out_or_has_another_password_reads_nothing(self, team):
        keys = [session_of(each) for each in (team.admin, team.agent, team.viewer)]
        team.admin.user.is_active = False
        team.admin.user.save()
        team.agent.delete()
        team.viewer.user.set_password("another one, and a long one")
        team.viewer.user.save()
        assert [reader_of(key) for key in keys] == [None, None, None]

    def test_the_cookie_is_found_among_others_and_nonsense_is_none(self):
        name = settings.SESSION_COOKIE_NAME
        assert session_key(f"a=b; {name}=abc; c=d") == "abc"
        assert session_key("a=b") == session_key("") == session_key("\x00;;=;") == ""


class TestWhoseAccessEnds:
    @pytest.fixture
    def looked_at(self, team, monkeypatch):
        """Return whom the streams are told to look at again."""
        told: list[int] = []
        monkeypatch.setattr("trochai.hints.Hints.publish", lambda _hints, news: told.extend(news.people))
        return told

    def test_by_an_admin_or_by_themselves(self, team, looked_at):
        person = team.agent.user.pk
        client = signed_in(team.agent)
        looked_at.clear()  # signing in wrote down when
        assert client.get(reverse("conversations:inbox")).status_code == 200
        assert looked_at == []
        team.agent.role = "viewer"
        team.agent.save()
        assert looked_at == [person]
        client.post(reverse("accounts:sign_out"))
        assert looked_at == [person] * 2
        team.agent.user.is_active = False
        team.agent.user.save()
        assert looked_at == [person] * 3
        team.agent.delete()
        assert looked_at == [person] * 4
