from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_keep_what_was_told")]

    operations = [
        migrations.RemoveField("notification", "title"),
        migrations.RemoveField("notification", "text"),
    ]
