"""Why a channel stopped, as a code or a cause instead of a sentence in whatever language the worker spoke."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

from trochai.whatsapp.migrations import _told


def find_causes(apps, schema_editor):
    Channel = apps.get_model("whatsapp", "Channel")
    for channel in Channel.objects.using(schema_editor.connection.alias).exclude(stop_reason=""):
        channel.stop_cause, channel.stop_values = _told.meaning_of(channel.stop_code, channel.stop_reason)
        channel.save(update_fields=["stop_cause", "stop_values"])


class Migration(migrations.Migration):
    dependencies = [("whatsapp", "0003_probes")]

    operations = [
        migrations.RemoveConstraint("channel", "channel_stopped_says_why"),
        migrations.AddField("channel", "stop_cause", models.CharField(blank=True, max_length=32)),
        migrations.AddField(
            "channel", "stop_values", models.JSONField(blank=True, default=dict, editable=False)
        ),
        migrations.RunPython(find_causes, migrations.RunPython.noop),
        migrations.RemoveField("channel", "stop_reason"),
        migrations.AddConstraint(
            "channel",
            models.CheckConstraint(
                condition=Q(stopped_at__isnull=True) | Q(stop_code__isnull=False) | ~Q(stop_cause=""),
                name="channel_stopped_says_why",
            ),
        ),
    ]
