"""Asks once an hour for the messaging limits whose turn has come."""

from django.db import migrations, models
from django.utils import timezone

NAME = "WhatsApp: read messaging limits"
WHEN = {
    "minute": "23",
    "hour": "*",
    "day_of_week": "*",
    "day_of_month": "*",
    "month_of_year": "*",
    "timezone": "UTC",
}


def install(apps, schema_editor):
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects
    crontab = crontabs.filter(**WHEN).first() or crontabs.create(**WHEN)
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=NAME,
        defaults={"task": "trochai.whatsapp.tasks.read_messaging_limits", "crontab": crontab},
    )
    _tell_beat(apps)


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    """A beat that is running reads the entries again; the package's own signal does not fire here."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("whatsapp", "0011_group_messages"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="messaging_limit",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="channel",
            name="messaging_limit_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(install, remove),
    ]
