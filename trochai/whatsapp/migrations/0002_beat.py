"""Tells Celery beat about the webhook's tasks."""

from django.db import migrations
from django.utils import timezone

EVERY_MINUTE = {"minute": "*", "hour": "*"}
NIGHTLY = {"minute": "17", "hour": "3"}
# name, task, when, seconds after which a tick that found no worker is dropped
ENTRIES = [
    ("WhatsApp: process waiting webhooks", "trochai.whatsapp.tasks.process_waiting_webhooks", EVERY_MINUTE, 55),
    ("WhatsApp: purge old webhooks", "trochai.whatsapp.tasks.purge_webhooks", NIGHTLY, 12 * 3600),
]


def install(apps, schema_editor):
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects
    for name, task, when, expire_seconds in ENTRIES:
        columns = {"day_of_week": "*", "day_of_month": "*", "month_of_year": "*", "timezone": "UTC", **when}
        crontab = crontabs.filter(**columns).first() or crontabs.create(**columns)
        apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
            name=name, defaults={"task": task, "crontab": crontab, "expire_seconds": expire_seconds}
        )
    _tell_beat(apps)


def remove(apps, schema_editor):
    names = [name for name, *_ in ENTRIES]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=names).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    """A beat that is running reads the entries again; the package's own signal does not fire here."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("whatsapp", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, remove)]
