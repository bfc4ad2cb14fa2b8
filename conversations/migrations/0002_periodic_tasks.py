"""Install the beat entries, so that nobody has to do it by hand."""

from __future__ import annotations

from django.db import migrations


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    every_minute, _ = CrontabSchedule.objects.get_or_create(
        minute="*", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    nightly, _ = CrontabSchedule.objects.get_or_create(
        minute="27", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    for name, task, crontab, expire_seconds in (
        ("Give up on replies without an answer", "give_up_on_sending", every_minute, 55),
        ("Apply early message statuses", "apply_early_statuses", every_minute, 55),
        ("Purge early message statuses", "purge_early_statuses", nightly, 3600),
    ):
        PeriodicTask.objects.update_or_create(
            name=name,
            defaults={
                "task": f"conversations.tasks.{task}",
                "crontab": crontab,
                "expire_seconds": expire_seconds,
            },
        )


def remove(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    PeriodicTask.objects.filter(task__startswith="conversations.tasks.").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, remove)]
