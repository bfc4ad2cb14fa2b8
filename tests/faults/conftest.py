"""Fault tests break real processes and servers, then compare what Meta saw with what the tables say.

``--long`` kills more often; ``--fault-seed`` repeats the instants of an earlier run, which it printed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dj_database_url
import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import DjangoDbBlocker, Settings

from tests.faults.cloud import Cloud
from tests.faults.installation import Installation
from tests.faults.servers import Postgres, Redis, missing_programs

FOLDER = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--fault-seed", type=int, help="repeat the random instants of an earlier run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(scope="session")
def kills(is_long: bool) -> int:
    """How often the scenario with random instants kills a worker."""
    return 20 if is_long else 3


@pytest.fixture
def chance(pytestconfig: pytest.Config) -> random.Random:
    seed = pytestconfig.getoption("fault_seed", default=None)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"instants are those of --fault-seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Postgres, Redis, Cloud]]:
    if sys.platform != "linux":
        pytest.skip("reads /proc to see that no process is left")
    if missing := missing_programs():
        reason = f"{' and '.join(missing)} must be installed, not running: the tests start their own"
        # Where they must be installed, a skipped test would look like a passed one.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    postgres, redis, cloud = Postgres(), Redis(), Cloud()
    # Whoever stops the tests wants no servers and workers left over.
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("asked to stop", returncode=143))
    try:
        postgres.start()
        redis.start()
        yield postgres, redis, cloud
    finally:
        cloud.stop()
        redis.remove()
        postgres.remove()
        signal.signal(signal.SIGTERM, before)


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Have the ORM of this process read and write another database than the suite's own."""
    before, configured = connection._connections["default"], connections.settings["default"]
    connections.settings["default"] = connections.configure_settings(
        {"default": dict(dj_database_url.parse(url))}
    )["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connection.close()
        connections.settings["default"] = configured
        connections["default"] = before


@pytest.fixture(scope="session")
def migrated(servers: tuple[Postgres, Redis, Cloud], django_db_blocker: DjangoDbBlocker) -> str:
    """The name of a database to copy: migrating one for each test would take most of the time."""
    postgres = servers[0]
    postgres.execute("CREATE DATABASE migrated")
    with django_db_blocker.unblock(), connected_to(postgres.url("migrated")):
        call_command("migrate", verbosity=0)
    return "migrated"


@pytest.fixture
def installation(
    servers: tuple[Postgres, Redis, Cloud],
    migrated: str,
    django_db_blocker: DjangoDbBlocker,
    settings: Settings,
    tmp_path: Path,
) -> Iterator[Installation]:
    """Trochai with a fresh database, an empty queue, and a Cloud API that remembers nothing yet."""
    postgres, redis, cloud = servers
    # The test before may have failed between a kill and the start after it.
    postgres.start()
    redis.start()
    name = f"faults_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}")
    redis.empty()
    cloud.forget()
    keys = [Fernet.generate_key().decode()]
    settings.FIELD_ENCRYPTION_KEYS = keys
    trochai = Installation(
        postgres=postgres, redis=redis, cloud=cloud, database=name, keys=keys, folder=tmp_path
    )
    with django_db_blocker.unblock(), connected_to(postgres.url(name)):
        try:
            yield trochai
        finally:
            print(trochai.logs())
            trochai.remove()
