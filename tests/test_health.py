"""What monitors ask, and what people see when the scheduler has gone silent."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from kombu import Connection

from followups import ticks
from followups.tasks import send_due_follow_ups
from tests.conftest import signed_in
from trochai.celery import app


def test_a_process_that_answers_is_healthy_without_asking_the_database():
    assert Client().get("/healthz").content == b"ok"


@pytest.mark.django_db
def test_a_new_installation_is_ready_before_its_first_tick():
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "database": True, "broker": True, "beat": None}


@pytest.mark.django_db
def test_the_age_of_the_last_tick_is_known_from_outside():
    send_due_follow_ups(wake_others=False)
    assert Client().get("/readyz").json()["beat"] == 0


@pytest.mark.django_db
def test_silence_for_more_than_three_minutes_is_not_ready():
    ticks.record(now=timezone.now() - ticks.LATE_AFTER - dt.timedelta(seconds=1))
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["beat"] == 181


@pytest.mark.django_db
def test_a_broker_that_is_away_is_not_ready(monkeypatch):
    away = Connection("redis://127.0.0.1:9/0", connect_timeout=1)
    monkeypatch.setattr(app, "connection_for_read", lambda **_options: away)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["broker"] is False


def test_the_follow_ups_page_says_when_nothing_is_being_sent(team):
    client = signed_in(team.viewer)
    assert "Nothing is being sent." not in client.get("/followups/").text
    ticks.record(now=timezone.now() - dt.timedelta(minutes=10))
    assert "Nothing is being sent." in client.get("/followups/").text
    send_due_follow_ups(wake_others=False)
    assert "Nothing is being sent." not in client.get("/followups/").text
