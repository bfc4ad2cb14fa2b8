"""What a Prometheus server is told, by the web process and by a worker."""

from __future__ import annotations

import datetime as dt
import socket
import urllib.request
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from kombu import Connection
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from conversations.models import Conversation
from followups.models import FailureKind, FollowUp, Hold, Status
from followups.sending import backlog, ticks
from tests import factories
from trochai import metrics
from trochai.celery import app
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.webhooks import deliveries

TOKEN = "a token that a monitor knows"


@pytest.fixture(autouse=True)
def token(settings):
    settings.METRICS_TOKEN = TOKEN


def scrape(**headers):
    headers = headers or {"Authorization": f"Bearer {TOKEN}"}
    return Client().get("/metrics", headers=headers)


def samples():
    response = scrape()
    assert response.status_code == 200
    families = text_string_to_metric_families(response.text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def due(team, *, ago, **columns):
    """A follow-up of the team that has been due for so many seconds."""
    conversation = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    moment = timezone.now() - dt.timedelta(seconds=ago)
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=conversation,
        template=team.template,
        scheduled_for=moment,
        **columns,
    )


def test_what_is_due_and_for_how_long_is_seen(team):
    due(team, ago=600)
    due(team, ago=30)
    due(team, ago=-3600)
    found = samples()
    assert found["trochai_follow_ups_due", "working"] == 2
    assert 600 <= found["trochai_due_lag_seconds", "working"] < 630
    assert found["trochai_follow_ups_due", "stopped"] == 0
    assert found["trochai_due_lag_seconds", "stopped"] == 0


def test_what_waits_for_a_stopped_channel_does_not_look_like_lateness(team, stranger):
    due(team, ago=7200)
    due(stranger, ago=5)
    channels.stop(team.channel.pk, failure=Failure(190), now=timezone.now())
    found = samples()
    assert found["trochai_due_lag_seconds", "working"] < 60
    assert found["trochai_due_lag_seconds", "stopped"] >= 7200
    assert found["trochai_follow_ups_due", "stopped"] == 1
    assert found["trochai_channels_stopped",] == 1


def test_what_is_on_hold_does_not_look_like_lateness_either(team, stranger):
    due(team, ago=7200)
    due(stranger, ago=5)
    hold = {"scope": "organization", "organization": team.organization, "reason": "Prices"}
    Hold.objects.create(cause="member", since=timezone.now(), **hold)
    found = samples()
    assert found["trochai_due_lag_seconds", "working"] < 60
    assert found["trochai_due_lag_seconds", "held"] >= 7200
    assert found["trochai_follow_ups_due", "held"] == 1
    assert found["trochai_holds",] == 1


def test_what_is_held_unknown_or_retried_is_seen(team):
    now = timezone.now()
    due(team, ago=60, status=Status.PROCESSING)
    asked = {"requested_at": now - dt.timedelta(minutes=5), "reconcile_until": now + dt.timedelta(minutes=5)}
    due(team, ago=60, status=Status.PROCESSING, **asked)
    due(team, ago=-300, failures=1, failure_kind=FailureKind.TEMPORARY)
    deliveries.store(team.channel, b"{}", now=now)
    found = samples()
    assert found["trochai_follow_ups_processing",] == 2
    assert found["trochai_follow_ups_outcome_unknown",] == 1
    assert found["trochai_follow_ups_retrying",] == 1
    assert found["trochai_webhooks_waiting",] == 1
    assert found["trochai_webhooks_set_aside",] == 0
    WebhookDelivery.objects.update(processed_at=now, next_attempt_at=None, error="InboundMessage: KeyError")
    assert samples()["trochai_webhooks_set_aside",] == 1


@pytest.mark.django_db
def test_the_age_of_the_last_tick_is_absent_before_the_first_one():
    assert ("trochai_last_tick_age_seconds",) not in samples()
    ticks.record(now=timezone.now() - dt.timedelta(seconds=42))
    assert 42 <= samples()["trochai_last_tick_age_seconds",] < 60


@pytest.mark.django_db
def test_the_web_process_reports_on_itself():
    assert samples()["process_resident_memory_bytes",] > 0


def test_a_backlog_of_any_size_is_counted_up_to_a_cap(team, monkeypatch):
    monkeypatch.setattr(backlog, "CAP", 3)
    for _ in range(5):
        due(team, ago=60)
    assert samples()["trochai_follow_ups_due", "working"] == 3


def test_a_scrape_costs_the_same_however_many_channels_and_rows(team, stranger, django_assert_num_queries):
    for owner in (team, stranger):
        for _ in range(10):
            due(owner, ago=60)
    # What is on hold, channels with their oldest, two counts, held, retries, webhooks, those set aside,
    # stopped, holds, two looks at the tick; and PostgreSQL is asked for the time.
    with django_assert_num_queries(12 if connection.vendor == "postgresql" else 11):
        scrape()


def test_no_person_and_no_number_is_named(team):
    due(team, ago=60)
    channels.stop(team.channel.pk, failure=Failure(190), now=timezone.now())
    text = scrape().text
    contact = Conversation.objects.first().contact
    secret = (contact.phone, contact.name, team.organization.name, team.channel.name, team.channel.uuid)
    assert [word for word in secret if str(word) in text] == []
    assert team.channel.phone_number_id not in text


@pytest.mark.django_db
def test_messages_that_no_worker_takes_are_counted_by_queue(monkeypatch):
    busy, idle = f"busy-{uuid.uuid4().hex}", f"idle-{uuid.uuid4().hex}"
    monkeypatch.setattr(backlog, "QUEUES", (busy, idle))
    with app.connection_for_write() as broker:
        waiting = broker.SimpleQueue(busy)
        waiting.put({})
        found = samples()
        waiting.clear()
        waiting.close()
    assert (found["trochai_broker_messages", busy], found["trochai_broker_messages", idle]) == (1, 0)


@pytest.mark.django_db
def test_without_a_broker_its_depth_is_absent_and_the_rest_is_there(monkeypatch):
    away = Connection("redis://127.0.0.1:9/0", connect_timeout=1)
    monkeypatch.setattr(app, "connection_for_read", lambda **_options: away)
    found = samples()
    assert not [name for name, *_labels in found if name == "trochai_broker_messages"]
    assert found["trochai_database_up",] == 1


@pytest.mark.django_db
def test_without_the_database_the_scrape_says_so(monkeypatch):
    """As before the tables exist: the monitor learns of it from us, not from a 500."""
    monkeypatch.setattr(FollowUp._meta, "db_table", "not_there")
    found = samples()
    assert found["trochai_database_up",] == 0
    assert found["process_resident_memory_bytes",] > 0


# Who may ask --------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", TOKEN, "Bearer ñandú"])
def test_without_the_token_it_is_forbidden(given):
    assert scrape(Authorization=given).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize(("debug", "status"), [(True, 200), (False, 404)])
def test_with_no_token_set_there_is_nothing_in_production(settings, debug, status):
    settings.METRICS_TOKEN, settings.DEBUG = "", debug
    assert scrape(Authorization="").status_code == status
    assert scrape(Authorization="Bearer ").status_code == status


# A worker's own -----------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return response.read().decode()


def test_a_worker_serves_what_it_has_counted(settings):
    settings.METRICS_PORT = free_port()
    metrics.CALLS.labels(outcome="accepted").inc()
    metrics.serve()
    served = fetch(settings.METRICS_PORT)
    assert 'trochai_follow_up_calls_total{outcome="accepted"}' in served
    assert "trochai_settlement_seconds_bucket" in served


def test_a_taken_port_is_one_line_in_the_log_and_no_dead_worker(settings):
    with socket.socket() as other, capture_logs() as logs:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings.METRICS_PORT = other.getsockname()[1]
        metrics.serve()
    assert [(line["event"], line["port"]) for line in logs] == [("metrics_not_served", settings.METRICS_PORT)]


def test_a_worker_without_a_port_serves_nothing(settings):
    settings.METRICS_PORT = 0
    with capture_logs() as logs:
        metrics.serve()
    assert logs == []
