"""Take the expiry off every beat entry: it was judged by the worker's clock against beat's.

A worker whose clock was a minute ahead discarded every tick. That they pile up while no worker runs does no
harm: the first one that is taken does all the work, and the others find nothing left to do.
"""

from __future__ import annotations

from django.db import migrations
from django.utils import timezone

APPS = ("followups.", "conversations.", "templates_app.", "trochai.")


def take_off(apps, schema_editor):
    for prefix in APPS:
        tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
        tasks.filter(task__startswith=prefix).update(expire_seconds=None)
    # A beat that runs reads its entries again.
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0010_changes"),
        ("conversations", "0002_periodic_tasks"),
        ("templates_app", "0002_periodic_tasks"),
        ("whatsapp", "0003_probes"),
    ]

    operations = [migrations.RunPython(take_off, migrations.RunPython.noop)]
