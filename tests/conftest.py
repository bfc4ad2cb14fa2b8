from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings as project_settings
from django.core.cache import caches
from django.db import connection
from django.db.models import Count, Q
from django.test import Client
from hypothesis import HealthCheck, settings
from pytest_httpserver import HTTPServer

from conversations.models import Conversation
from templates_app.models import Template
from tests import factories, stores
from tests.meta import Meta
from trochai import changes
from trochai.accounts.models import Membership, Organization, Role
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sandbox import Account, Sandbox

# A busy machine is slow, not wrong.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("unhurried"), max_examples=5000)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="kill twenty times instead of three; 5,000 examples instead of 100",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of the suite its own empty Redis database, because ids repeat among them."""
    if config.getoption("long"):
        settings.load_profile("long")
    if not project_settings.REDIS_URL:
        return
    address = urlsplit(project_settings.REDIS_URL)
    number = int(address.path.strip("/") or 0) + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    own = address._replace(path=f"/{number}").geturl()
    project_settings.REDIS_URL = project_settings.CELERY_BROKER_URL = own
    project_settings.CACHES["default"]["LOCATION"] = own
    with redis.Redis.from_url(own) as client:
        client.flushdb()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that say they are pure and ask for a database: nobody would try them on PostgreSQL."""
    for item in items:
        stores_asked_for = {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("pure") and (item.get_closest_marker("django_db") or stores_asked_for):
            raise pytest.UsageError(f"{item.nodeid} is marked as pure and asks for a database")


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    return pytestconfig.getoption("long")


@dataclass
class Team:
    """One organization with a member of each role, a channel, a template and a conversation."""

    organization: Organization
    admin: Membership
    agent: Membership
    other_agent: Membership
    viewer: Membership
    channel: Channel
    template: Template
    conversation: Conversation

    def member(self, role: str) -> Membership:
        return {"admin": self.admin, "agent": self.agent, "viewer": self.viewer}[role]


def make_team(**organization: object) -> Team:
    owner = factories.OrganizationFactory(**organization)
    channel = factories.ChannelFactory(organization=owner)

    def join(role: Role) -> Membership:
        return factories.MembershipFactory(organization=owner, role=role)

    return Team(
        organization=owner,
        admin=join(Role.ADMIN),
        agent=join(Role.AGENT),
        other_agent=join(Role.AGENT),
        viewer=join(Role.VIEWER),
        channel=channel,
        template=factories.TemplateFactory(channel=channel, name="visit_reminder"),
        conversation=factories.ConversationFactory(organization=owner, channel=channel),
    )


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """Put SQLite's test database into a file, so that threads share it as processes do."""
    if connection.vendor == "sqlite":
        name = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(name)


@pytest.fixture(autouse=True)
def cheap_passwords(settings) -> None:
    """A deliberately slow password hash would take most of the suite's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def no_hints() -> None:
    """Ids repeat from test to test: what one was told must not be known in the next."""
    caches["hints"].clear()


@pytest.fixture(autouse=True)
def counted(request):
    """Whatever a test did: each conversation knows how many of its follow-ups wait or are being sent."""
    needed = [name for name in ("transactional_db", "db", "team") if name in request.fixturenames]
    for name in needed[:1]:
        request.getfixturevalue(name)  # asked for first, so that the rows are still there afterwards
    yield
    if needed:
        waiting = Count("follow_ups", filter=Q(follow_ups__next_attempt_at__isnull=False))
        counts = Conversation.objects.annotate(waiting=waiting).values_list("pk", "waiting_count", "waiting")
        assert [(pk, kept) for pk, kept, _true in counts] == [(pk, true) for pk, _kept, true in counts]


@pytest.fixture
def team(db: None) -> Team:
    return make_team()


@pytest.fixture
def stranger(db: None) -> Team:
    """Another organization: nothing of it may ever show."""
    return make_team(name="Stranger")


@pytest.fixture
def meta(httpserver: HTTPServer, settings) -> Meta:
    """The Cloud API as the whole product sees it: a real server that answers as Meta does."""
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
    return Meta(httpserver)


@pytest.fixture
def sandbox(team: Team, settings, tmp_path) -> Iterator[Sandbox]:
    """The sandbox as the team's number, with a folder for its files."""
    settings.MEDIA_ROOT = tmp_path
    channel = team.channel
    account = Account(channel.phone_number_id, channel.waba_id, token=channel.access_token)
    with Sandbox([account], pace=0) as running:
        settings.WHATSAPP_API_URL = running.url
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[stores.Server]:
    with stores.Server().running() as server:
        yield server


@pytest.fixture
def store(request, settings, tmp_path) -> stores.Folder | stores.Bucket:
    """Where files are kept: a folder, or what ``stores.IN_EITHER`` asks for."""
    settings.MEDIA_ROOT = tmp_path
    if getattr(request, "param", "folder") == "folder":
        return stores.Folder(tmp_path)
    bucket = stores.Bucket(request.getfixturevalue("s3"))
    settings.STORAGES = {**settings.STORAGES, "default": bucket.storages}
    return bucket


@pytest.fixture
def bucket_away(settings, httpserver):
    """Keep files in a bucket from then on that is away in the given way."""
    with contextlib.ExitStack() as open_ones, pytest.MonkeyPatch.context() as environment:
        for name, value in stores.KEYS.items():
            environment.setenv(name, value)

        def keep(how: str) -> None:
            silent = open_ones.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            if how == "refuses":
                silent.close()
            if how == "is overloaded":
                httpserver.expect_request(re.compile("/files-of-tests/.*")).respond_with_data(status=503)
                url = httpserver.url_for("")
            settings.STORAGES = {**settings.STORAGES, "default": stores.bucket_at(url, patience=0.2)}

        yield keep


def signed_in(membership: Membership) -> Client:
    """Return a client signed in as this member; fails on a missing CSRF token as a browser would."""
    client = Client()
    client.force_login(membership.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def told(django_capture_on_commit_callbacks):
    """Say that something has changed for organizations, as who writes does once that is committed."""

    def tell(organization_ids: Iterable[int]) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            changes.changed(organization_ids)

    return tell


@pytest.fixture
def standing_clock(time_machine):
    """Keep a page's minute (``changes.LOOK_AGAIN``) from turning between two of its requests."""
    time_machine.move_to(dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def in_threads(transactional_db, tmp_path, monkeypatch):
    """Run a function in several threads at once, each with a real connection of its own.

    On SQLite the threads share a copy of the test database in a file: the test's own one is in
    memory, where connections lock each other out instead of waiting.
    """

    def run(work, count):
        if connection.vendor == "sqlite":
            path = tmp_path / "copy.sqlite3"
            with contextlib.closing(sqlite3.connect(path)) as copy:
                connection.connection.backup(copy)
            monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
        barrier = threading.Barrier(count)

        def start(number):
            barrier.wait(timeout=10)
            try:
                return work(number)
            finally:
                connection.close()

        try:
            with ThreadPoolExecutor(count) as pool:
                return list(pool.map(start, range(count)))
        finally:
            monkeypatch.undo()

    return run
