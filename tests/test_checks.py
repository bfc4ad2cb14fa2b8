"""Each check by its id, as an operator meets it: through ``manage.py check``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks

from tests.factories import UserFactory
from trochai.checks import DEMO_PASSWORD

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def production(settings, monkeypatch):
    settings.DEBUG = False
    settings.SECRET_KEY = "x7" * 40
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    settings.WHATSAPP_API_URL = "https://graph.facebook.com"
    settings.REDIS_URL = "redis://redis.internal/0"
    settings.METRICS_TOKEN = "m9" * 20
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    return settings


def found(*, deploy: bool = False, databases: list[str] | None = None) -> set[str]:
    messages = run_checks(include_deployment_checks=deploy, databases=databases)
    ours = [message for message in messages if str(message.id).startswith("trochai.")]
    assert all(message.hint for message in ours)
    return {str(message.id) for message in ours}


def test_a_complete_configuration_passes(production):
    assert found(deploy=True) == set()


def test_development_is_left_alone(production):
    production.DEBUG = True
    production.SECRET_KEY = production.DEFAULT_SECRET_KEY
    production.FIELD_ENCRYPTION_KEYS = []
    production.WHATSAPP_API_URL = production.SANDBOX_API_URL
    production.REDIS_URL = ""
    assert found(deploy=True) == set()


def test_the_public_secret_key_is_refused(production):
    production.SECRET_KEY = production.DEFAULT_SECRET_KEY
    assert found() == {"trochai.E001"}


def test_an_encryption_key_that_is_none_is_refused(production):
    production.FIELD_ENCRYPTION_KEYS = ["not a Fernet key"]
    assert found() == {"trochai.E002"}


def test_a_deployment_without_its_own_encryption_key_is_warned(production):
    production.FIELD_ENCRYPTION_KEYS = []
    assert found() == set()
    assert found(deploy=True) == {"trochai.W001"}


@pytest.mark.parametrize("token", ["", "short"])
def test_a_deployment_that_nobody_can_watch_or_anybody_could_is_warned(production, token):
    production.METRICS_TOKEN = token
    assert found() == set()
    assert found(deploy=True) == {"trochai.W002"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8001", "https://localhost", "https://[::1]", "http://graph.facebook.com", ""]
)
def test_the_sandbox_and_unencrypted_addresses_are_refused_as_cloud_api(production, url):
    production.WHATSAPP_API_URL = url
    assert found() == {"trochai.E003"}


def test_sqlite_is_refused(production, monkeypatch):
    monkeypatch.setitem(production.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert found() == {"trochai.E004"}


def test_the_file_broker_is_refused(production):
    production.REDIS_URL = ""
    assert found() == {"trochai.E005"}


def test_nginx_cannot_send_what_is_in_a_bucket(production):
    production.MEDIA_S3_BUCKET = "files"
    assert found() == set()
    production.MEDIA_ACCEL_LOCATION = "/stored/"
    assert found() == {"trochai.E008"}


def test_a_person_with_the_demo_password_is_refused_once_the_database_is_looked_at(production, db):
    user = UserFactory(email="agent@demo.trochai.test", password=DEMO_PASSWORD)
    assert found() == set()
    assert found(databases=["default"]) == {"trochai.E006"}

    user.set_password("another one entirely")
    user.save()
    assert found(databases=["default"]) == set()


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "migrate"],
        ["-c", "import trochai.wsgi"],
        ["-m", "celery", "--app", "trochai", "worker", "--pool", "threads"],
        ["-m", "celery", "--app", "trochai", "beat"],
    ],
    ids=["migrate", "wsgi", "worker", "beat"],
)
def test_a_production_start_with_defaults_is_refused_with_every_reason(tmp_path, command):
    """With nothing set, in a real process: what an operator who forgot everything sees."""
    result = started(command, tmp_path)
    assert result.returncode == 1
    for id_ in ("trochai.E001", "trochai.E003", "trochai.E004", "trochai.E005"):
        assert id_ in result.stderr
    assert ("Traceback" in result.stderr) is (command[0] == "-c")


def test_what_is_silenced_is_passed_over(tmp_path):
    ids = "trochai.E001,trochai.E003,trochai.E004,trochai.E005"
    result = started(["-c", "import trochai.wsgi"], tmp_path, SILENCED_SYSTEM_CHECKS=ids)
    assert (result.returncode, result.stderr) == (0, "")


def started(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, "VAR_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
