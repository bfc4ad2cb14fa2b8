"""Let conversations know how many follow-ups wait, and correct that once a night."""

from __future__ import annotations

from django.db import migrations
from django.db.models import Count, OuterRef, Subquery

TASK = "followups.tasks.recount_waiting_follow_ups"


def count(apps, schema_editor):
    Conversation = apps.get_model("conversations", "Conversation")
    FollowUp = apps.get_model("followups", "FollowUp")
    waiting = FollowUp.objects.filter(next_attempt_at__isnull=False)
    of_one = waiting.filter(conversation=OuterRef("pk")).values("conversation").annotate(rows=Count("pk"))
    concerned = Conversation.objects.filter(pk__in=waiting.values("conversation"))
    concerned.update(waiting_count=Subquery(of_one.values("rows")))


def install(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    nightly, _ = CrontabSchedule.objects.get_or_create(
        minute="27", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    PeriodicTask.objects.update_or_create(
        name="Recount waiting follow-ups",
        defaults={"task": TASK, "crontab": nightly},
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=TASK).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0016_keep_and_move"),
        ("conversations", "0020_marks"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunPython(count, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(install, remove),
    ]
