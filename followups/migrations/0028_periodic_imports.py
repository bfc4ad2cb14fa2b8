"""Have imports looked after every minute, and forgotten once a night."""

from __future__ import annotations

from django.db import migrations

WORK, PURGE = "followups.tasks.work_on_imports", "followups.tasks.purge_imports"


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    always = {"day_of_week": "*", "day_of_month": "*", "month_of_year": "*", "timezone": "UTC"}
    every_minute, _ = CrontabSchedule.objects.get_or_create(minute="*", hour="*", **always)
    nightly, _ = CrontabSchedule.objects.get_or_create(minute="37", hour="3", **always)
    PeriodicTask.objects.update_or_create(
        name="Check and schedule imported follow-ups", defaults={"task": WORK, "crontab": every_minute}
    )
    PeriodicTask.objects.update_or_create(
        name="Delete old imports", defaults={"task": PURGE, "crontab": nightly}
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task__in=[WORK, PURGE]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0027_imports"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, remove)]
