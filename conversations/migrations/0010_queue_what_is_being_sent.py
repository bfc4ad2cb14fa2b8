"""Queue the messages whose calls are under way, as called: their outcome, or ten minutes, settles them.

They were sent by the web process that took them; from now on a worker sends what is queued.
"""

from __future__ import annotations

from django.db import migrations
from django.utils import timezone

NAME = "Give up on replies without an answer"


def queue(apps, schema_editor):
    Message = apps.get_model("conversations", "Message")
    QueuedMessage = apps.get_model("conversations", "QueuedMessage")
    QueuedMessage.objects.bulk_create(
        QueuedMessage(
            message_id=message.pk,
            conversation_id=message.conversation_id,
            channel_id=message.channel_id,
            written_at=message.created_at,
            requested_at=message.created_at,
        )
        for message in Message.objects.filter(delivery="sending").only(
            "conversation_id", "channel_id", "created_at"
        )
    )
    _entry(apps, name="Send replies", task="send_replies")


def unqueue(apps, schema_editor):
    _entry(apps, name=NAME, task="give_up_on_sending")


def _entry(apps, *, name, task):
    entries = apps.get_model("django_celery_beat", "PeriodicTask").objects
    entries.filter(name__in=[NAME, "Send replies"]).update(name=name, task=f"conversations.tasks.{task}")
    # A beat that runs reads its entries again.
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0009_queued_messages"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(queue, unqueue)]
