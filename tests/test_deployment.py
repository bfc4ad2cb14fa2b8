"""docker-compose.yml against what the settings read and what the manual says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from trochai.celery import app
from trochai.management.commands.up import _programs
from trochai.queues import QUEUES, ROUTES

ROOT = Path(__file__).resolve().parent.parent
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
SETTINGS = (ROOT / "trochai" / "settings.py").read_text(encoding="utf-8")
MANUAL = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BY_LIBRARIES = {"DATABASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
READ = set(re.findall(r"(?:environ\.get|env_bool|env_list)\(\s*\"([A-Z0-9_]+)\"", SETTINGS)) | BY_LIBRARIES
OURS = {name for name, service in SERVICES.items() if service.get("image") == "trochai"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_can_do_no_more_than_it_must(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert name in OURS or service["user"] not in {"root", "0"}
    assert service["logging"]["options"]["max-size"], "a log may fill the disk"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_what_runs_for_ever_is_looked_at_and_started_again(name):
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(OURS - {"migrate"}))
def test_nothing_starts_before_the_migrations_are_done(name):
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_proxy_is_published():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_the_proxy_replaces_what_web_believes_of_a_client():
    """``SECURE_PROXY_SSL_HEADER``, ``TRUSTED_PROXIES`` and the like are only as good as this."""
    conf = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert SERVICES["web"]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-1}"
    assert "X-Forwarded-For $remote_addr;" in conf
    assert "X-Forwarded-Proto $scheme;" in conf
    # One in a server or location would switch off all of the above.
    assert not re.search(r"^ {8,}proxy_set_header", conf, re.MULTILINE)


def test_no_secret_is_in_the_file():
    secrets = {
        f"{name}.{key}": str(value)
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if re.search("SECRET|PASSWORD|KEY|TOKEN", key)
    }
    assert "web.SECRET_KEY" in secrets
    assert [key for key, value in secrets.items() if not value.startswith("${")] == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_that_is_set_is_one_that_is_read(name):
    assert set(SERVICES[name]["environment"]) - READ == set()


@pytest.mark.parametrize("variable", sorted(READ))
def test_every_variable_is_in_the_manual(variable):
    assert f"`{variable}`" in MANUAL


def queues_of(command: str) -> list[str]:
    return re.search(r"--queues (\S+)", command)[1].split(",")


def test_every_queue_has_workers_in_production_and_in_the_embedded_run():
    in_compose = [
        queue
        for service in SERVICES.values()
        if "worker --pool" in service.get("command", "")
        for queue in queues_of(service["command"])
    ]
    in_up = [
        queue
        for program in _programs()
        if "--queues" in program.command
        for queue in queues_of(" ".join(program.command))
    ]
    assert sorted(in_compose) == sorted(in_up) == sorted(QUEUES)


def test_every_route_leads_from_a_task_to_a_queue():
    app.loader.import_default_modules()
    assert set(ROUTES) - set(app.tasks) == set()
    assert {route["queue"] for route in ROUTES.values()} < set(QUEUES)
