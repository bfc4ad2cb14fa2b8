from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("followups", "0034_look_each_night")]

    operations = [
        # Also the database's, as processes of the version before write rows during an update.
        migrations.AddField(
            model_name="series",
            name="version",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="importrow",
            name="is_quiet",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
