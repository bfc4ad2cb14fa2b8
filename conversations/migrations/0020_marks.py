from django.db import migrations, models
from django.db.models import Exists, OuterRef


def say_what_failed(apps, schema_editor):
    Conversation = apps.get_model("conversations", "Conversation")
    Message = apps.get_model("conversations", "Message")
    last = Message.objects.filter(conversation=OuterRef("pk"), at=OuterRef("last_message_at"))
    failed = Conversation.objects.filter(Exists(last.filter(delivery="failed")))
    failed.update(last_has_failed=True)


class Migration(migrations.Migration):
    # On PostgreSQL a table whose rows were changed cannot be altered in the same transaction.
    atomic = False

    dependencies = [("conversations", "0019_message_words")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="last_has_failed",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="conversation",
            name="waiting_count",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunPython(say_what_failed, migrations.RunPython.noop, elidable=True),
    ]
