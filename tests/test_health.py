"""What monitors ask, and what people see when the scheduler has gone silent."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from kombu import Connection
from structlog.testing import capture_logs

from followups.models import Tick
from followups.sending import ticks
from followups.tasks import send_due_follow_ups
from notifications.models import Notification
from tests import factories
from tests.conftest import make_team, signed_in
from trochai.celery import app
from trochai.clock import database_now


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


def told(*members):
    """The titles and texts in the members' bells."""
    return [
        (notice.title, notice.text)
        for member in members
        for notice in Notification.objects.for_member(member).order_by("pk")
    ]


def waiting_for(team):
    factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)


def test_whoever_notices_a_silence_first_tells_the_admins_and_nobody_tells_them_again(team, stranger):
    waiting_for(team)
    ticks.record(now=timezone.now() - dt.timedelta(minutes=10))
    for _ in range(2):
        Client().get("/readyz")
        signed_in(team.viewer).get("/followups/")
    [(title, text)] = told(team.admin)
    assert title == "Nothing is being sent"
    assert "beat and worker processes" in text
    assert told(team.agent, team.viewer) == []
    assert told(stranger.admin) == [], "nothing of theirs waits"


def test_a_scrape_notices_a_silence_too(team, settings):
    settings.METRICS_TOKEN, settings.DEBUG = "", True
    waiting_for(team)
    ticks.record(now=timezone.now() - dt.timedelta(minutes=10))
    Client().get("/metrics")
    assert [title for title, _text in told(team.admin)] == ["Nothing is being sent"]


def test_the_first_tick_after_a_silence_says_how_long_it_was(team):
    waiting_for(team)
    now = timezone.now()
    ticks.record(now=now - dt.timedelta(minutes=90))
    Client().get("/readyz")
    with capture_logs() as logs:
        send_due_follow_ups(wake_others=False)
        send_due_follow_ups(wake_others=False)
    [line] = [line for line in logs if line["event"] == "sending_again"]
    assert (line["log_level"], line["seconds_without_ticks"]) == ("warning", 90 * 60)
    assert [title for title, _text in told(team.admin)] == ["Nothing is being sent", "Sending again"]
    assert Client().get("/readyz").json()["ready"]


def test_the_moments_of_a_silence_are_told_in_the_organizations_time_zone(team):
    waiting_for(team)
    ticks.record(now=dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC))
    ticks.record(now=dt.datetime(2026, 11, 24, 16, 30, tzinfo=dt.UTC))
    with timezone.override(team.organization.zone):
        [(_title, text)] = told(team.admin)
    assert "from Tue 24 Nov, 9:00 AM to Tue 24 Nov, 10:30 AM" in text


def test_each_silence_is_told_anew(team):
    waiting_for(team)
    for _ in range(2):
        ticks.record(now=timezone.now())
        Tick.objects.update(at=timezone.now() - dt.timedelta(minutes=10))
        Client().get("/readyz")
    assert [title for title, _ in told(team.admin)].count("Nothing is being sent") == 2


def test_a_machine_whose_clock_is_ahead_alarms_nobody(team):
    """Ticks are by the database's clock."""
    waiting_for(team)
    ticks.record(now=database_now())
    ticks.announce_silence(now=timezone.now() + dt.timedelta(minutes=20))
    assert told(team.admin) == []


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_that_notice_a_silence_or_its_end_one_tells():
    team = make_team()
    waiting_for(team)
    past = timezone.now() - dt.timedelta(minutes=10)
    ticks.record(now=past)
    assert at_once(lambda: ticks.announce_silence(now=timezone.now())) == [past] * 5
    assert [title for title, _text in told(team.admin)] == ["Nothing is being sent"]
    assert at_once(lambda: ticks.record(now=timezone.now())).count(None) == 4
    assert [title for title, _text in told(team.admin)] == ["Nothing is being sent", "Sending again"]


def at_once(work, count=5):
    """Do the same in several threads at once, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def start(_number):
        barrier.wait(timeout=10)
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_the_follow_ups_page_says_when_nothing_is_being_sent(team):
    client = signed_in(team.viewer)
    assert "Nothing is being sent." not in client.get("/followups/").text
    ticks.record(now=timezone.now() - dt.timedelta(minutes=10))
    assert "Nothing is being sent." in client.get("/followups/").text
    send_due_follow_ups(wake_others=False)
    assert "Nothing is being sent." not in client.get("/followups/").text
