from __future__ import annotations

from django.db import migrations, models

import trochai.accounts.models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0028_only_started")]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="timezone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                max_length=64,
                validators=[trochai.accounts.models.validate_timezone],
            ),
        ),
    ]
