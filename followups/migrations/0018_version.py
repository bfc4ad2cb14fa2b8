from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("followups", "0017_count_what_waits")]

    operations = [
        migrations.AddField(
            model_name="followup",
            name="version",
            # Also the database's, as processes of the version before write rows during an update.
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
