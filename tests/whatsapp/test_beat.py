from __future__ import annotations

import pytest
from django_celery_beat.models import PeriodicTask

from trochai.celery import app


@pytest.mark.parametrize(
    ("task", "crontab", "expires"),
    [
        ("trochai.whatsapp.tasks.process_waiting_webhooks", "* * * * *", 55),
        ("trochai.whatsapp.tasks.purge_webhooks", "17 3 * * *", 43200),
        ("trochai.whatsapp.tasks.probe_stopped_channels", "*/5 * * * *", 240),
    ],
)
@pytest.mark.django_db
def test_the_migration_tells_beat_about_the_webhook_tasks(task, crontab, expires):
    entry = PeriodicTask.objects.get(task=task)
    when = entry.crontab
    assert f"{when.minute} {when.hour} {when.day_of_month} {when.month_of_year} {when.day_of_week}" == crontab
    assert (entry.enabled, entry.expire_seconds) == (True, expires)
    app.loader.import_default_modules()
    assert task in app.tasks
