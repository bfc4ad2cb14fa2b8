"""Takes SQLite's statistics once an hour."""

from __future__ import annotations

from django.db import migrations

TASK = "conversations.tasks.take_statistics"


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    hourly, _ = CrontabSchedule.objects.get_or_create(
        minute="41", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name="Take SQLite's statistics", defaults={"task": TASK, "crontab": hourly}
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=TASK).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("conversations", "0029_contact_timezone"),
    ]

    operations = [migrations.RunPython(install, remove)]
