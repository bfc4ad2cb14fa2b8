from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("followups", "0006_met_a_stop")]

    operations = [
        migrations.AddField("followup", "failure_cause", models.CharField(blank=True, max_length=32)),
        migrations.AddField("followup", "failure_values", models.JSONField(blank=True, default=dict)),
        migrations.AddField("followupattempt", "cause", models.CharField(blank=True, max_length=32)),
    ]
