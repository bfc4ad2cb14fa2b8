"""Install the beat entries, and expect the files that Meta still keeps."""

from __future__ import annotations

import datetime as dt

from django.db import migrations
from django.utils import timezone

TASK = "conversations.tasks.transfer_files"
PURGE = "conversations.tasks.purge_uploads"
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
            found.append(Attachment(message=message, media_id=media_id, due_at=now))
    Attachment.objects.bulk_create(found, batch_size=BATCH)


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    every_minute, _ = CrontabSchedule.objects.get_or_create(
        minute="*", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    nightly, _ = CrontabSchedule.objects.get_or_create(
        minute="27", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    for name, task, crontab in (
        ("Transfer files", TASK, every_minute),
        ("Purge files that nobody has sent", PURGE, nightly),
    ):
        PeriodicTask.objects.update_or_create(name=name, defaults={"task": task, "crontab": crontab})


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task__in=[TASK, PURGE]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0021_attachments"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunPython(expect, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(install, remove),
    ]
