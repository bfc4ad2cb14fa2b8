from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_sending_interrupted")]

    operations = [
        migrations.AddField("notification", "values", models.JSONField(default=dict)),
        # The kinds belong to the apps that tell about them.
        migrations.AlterField("notification", "kind", models.CharField(max_length=32)),
    ]
