"""The file by which a container's health check knows that a worker or beat is alive."""

from __future__ import annotations

import os

import pytest
from celery.signals import after_task_publish, beat_init, heartbeat_sent

from trochai import alive


@pytest.fixture
def file(settings, tmp_path):
    settings.ALIVE_FILE = str(tmp_path / "alive")
    yield tmp_path / "alive"
    after_task_publish.disconnect(alive.touch)


def test_a_workers_heartbeat_makes_the_file_new_again(file):
    heartbeat_sent.send(sender=None)
    os.utime(file, (0, 0))
    heartbeat_sent.send(sender=None)
    assert file.stat().st_mtime > 0


def test_a_job_that_beat_has_handed_over_does_so_too(file):
    beat_init.send(sender=None)
    after_task_publish.send(sender="followups.tasks.send_due_follow_ups")
    assert file.exists()


def test_a_job_from_a_web_process_says_nothing_about_beat(file):
    after_task_publish.send(sender="trochai.whatsapp.tasks.process_waiting_webhooks")
    assert not file.exists()


def test_nothing_is_written_where_no_file_is_set(settings):
    settings.ALIVE_FILE = ""
    assert all(not isinstance(answer, Exception) for _, answer in heartbeat_sent.send(sender=None))
