from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_tell_sentences_apart")]

    operations = [
        migrations.RemoveField("message", "error_reason"),
        migrations.RemoveField("earlystatus", "error_reason"),
        migrations.RemoveField("conversation", "preview_is_template"),
    ]
