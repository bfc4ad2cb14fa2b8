from django.db import migrations, models
from django.db.models import Q


def turn_into_notes(apps, schema_editor):
    """What WhatsApp says of a contact was an inbound message of its own kind."""
    apps.get_model("conversations", "Message").objects.filter(kind="system").update(direction="log")


def turn_back(apps, schema_editor):
    messages = apps.get_model("conversations", "Message").objects
    messages.filter(kind="system").update(direction="in")
    messages.filter(direction="log").delete()


class Migration(migrations.Migration):
    # Each part by itself: the data must be changed while neither form of the constraint holds.
    atomic = False

    dependencies = [("conversations", "0015_drop_user_id")]

    operations = [
        migrations.AlterField(
            "message",
            "direction",
            models.CharField(
                max_length=3, choices=[("in", "Received"), ("out", "Sent"), ("log", "Note")]
            ),
        ),
        migrations.RemoveConstraint("message", "message_outbound_has_delivery"),
        migrations.RunPython(turn_into_notes, turn_back),
        migrations.AddConstraint(
            "message",
            models.CheckConstraint(
                condition=(~Q(direction="out") & Q(delivery="")) | (Q(direction="out") & ~Q(delivery="")),
                name="message_outbound_has_delivery",
            ),
        ),
    ]
