"""Install the beat entry, and expect the files that Meta still keeps."""

from __future__ import annotations

import datetime as dt

from django.db import migrations
from django.utils import timezone

TASK = "conversations.tasks.fetch_attachments"
KINDS = ("image", "video", "audio", "document", "sticker")
KEPT = dt.timedelta(days=7)
BATCH = 1000


def expect(apps, schema_editor):
    Attachment = apps.get_model("conversations", "Attachment")
    Message = apps.get_model("conversations", "Message")
    now = timezone.now()
    recent = Message.objects.filter(kind__in=KINDS, at__gte=now - KEPT, revoked_at__isnull=True)
    found = []
    for message in recent.only("kind", "content").iterator(chunk_size=BATCH):
        media = message.content.get(message.kind)
        media_id = media.get("id") if isinstance(media, dict) else None
        if isinstance(media_id, str) and 0 < len(media_id) <= 64:
            found.append(Attachment(message=message, media_id=media_id, fetch_at=now))
    Attachment.objects.bulk_create(found, batch_size=BATCH)


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    every_minute, _ = CrontabSchedule.objects.get_or_create(
        minute="*", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    PeriodicTask.objects.update_or_create(
        name="Fetch what contacts sent", defaults={"task": TASK, "crontab": every_minute}
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=TASK).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0021_attachments"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunPython(expect, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(install, remove),
    ]
