from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_quiet_hours")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="quiet_hours_are_a_rule",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text=(
                    "A follow-up that falls due in quiet hours waits until they end. If not, people are warned"
                    " and decide."
                ),
            ),
        ),
    ]
