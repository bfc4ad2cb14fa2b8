from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("followups", "0028_periodic_imports")]

    operations = [
        migrations.AddField(
            model_name="followup",
            name="quiet_in",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="followup",
            name="at_any_hour",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
