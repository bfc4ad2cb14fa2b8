"""Install the beat entries, so that nobody has to do it by hand.

``expire_seconds`` (not ``options``, which the scheduler drops without a word) keeps ticks from piling
up while no worker runs.
"""

from __future__ import annotations

from django.db import migrations


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    every_minute, _ = CrontabSchedule.objects.get_or_create(
        minute="*", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    nightly, _ = CrontabSchedule.objects.get_or_create(
        minute="17", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    PeriodicTask.objects.update_or_create(
        name="Send due follow-ups",
        defaults={
            "task": "followups.tasks.send_due_follow_ups",
            "crontab": every_minute,
            "expire_seconds": 55,
        },
    )
    PeriodicTask.objects.update_or_create(
        name="Purge deleted follow-ups",
        defaults={
            "task": "followups.tasks.purge_deleted_follow_ups",
            "crontab": nightly,
            "expire_seconds": 3600,
        },
    )


def remove(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    PeriodicTask.objects.filter(task__startswith="followups.tasks.").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, remove)]
