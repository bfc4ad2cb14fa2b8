"""Asks once an hour for the portfolios that are not known."""

from django.db import migrations, models
from django.utils import timezone

NAME = "WhatsApp: learn portfolios"
WHEN = {
    "minute": "47",
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
        defaults={"task": "trochai.whatsapp.tasks.learn_portfolios", "crontab": crontab},
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
        ("whatsapp", "0007_templates_wanted_at"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="portfolio_id",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.RunPython(install, remove),
    ]
