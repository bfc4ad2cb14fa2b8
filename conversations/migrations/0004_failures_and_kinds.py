from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0003_contact_consent_at")]

    operations = [
        migrations.AddField("message", "error_cause", models.CharField(blank=True, max_length=32)),
        migrations.AddField("message", "error_values", models.JSONField(blank=True, default=dict)),
        migrations.AddField("earlystatus", "error_cause", models.CharField(blank=True, max_length=32)),
        migrations.AddField("earlystatus", "error_values", models.JSONField(default=dict)),
        migrations.AddField("conversation", "preview_kind", models.CharField(blank=True, max_length=32)),
    ]
