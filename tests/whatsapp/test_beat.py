from __future__ import annotations

import pytest
from django_celery_beat.models import PeriodicTask

from trochai.celery import app


@pytest.mark.parametrize(
    ("task", "crontab"),
    [
        ("trochai.whatsapp.tasks.process_waiting_webhooks", "* * * * *"),
        ("trochai.whatsapp.tasks.purge_webhooks", "17 3 * * *"),
        ("trochai.whatsapp.tasks.probe_stopped_channels", "*/5 * * * *"),
        ("trochai.whatsapp.tasks.learn_portfolios", "47 * * * *"),
        ("trochai.whatsapp.tasks.read_messaging_limits", "23 * * * *"),
    ],
)
@pytest.mark.django_db
def test_the_migration_tells_beat_about_the_webhook_tasks(task, crontab):
    entry = PeriodicTask.objects.get(task=task)
    when = entry.crontab
    assert f"{when.minute} {when.hour} {when.day_of_month} {when.month_of_year} {when.day_of_week}" == crontab
    assert entry.enabled
    app.loader.import_default_modules()
    assert task in app.tasks


@pytest.mark.django_db
def test_no_worker_discards_a_task_because_its_clock_is_ahead_of_beats():
    assert set(PeriodicTask.objects.values_list("expire_seconds", flat=True)) == {None}
