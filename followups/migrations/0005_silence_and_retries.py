from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0004_tick"),
    ]

    operations = [
        migrations.AddField(
            model_name="tick",
            name="silence_announced_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(("failures__gt", 0), ("status", "pending")),
                fields=["next_attempt_at"],
                name="follow_up_retrying",
            ),
        ),
    ]
