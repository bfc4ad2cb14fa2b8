from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_single_keys"),
        ("followups", "0031_repeat"),
    ]

    operations = [
        migrations.CreateModel(
            name="CalendarCounts",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.organization",
                    ),
                ),
                ("span", models.CharField(blank=True, max_length=100)),
                ("token", models.CharField(max_length=32)),
                ("counted_at", models.DateTimeField()),
                ("next_at", models.DateTimeField(null=True)),
                ("again_at", models.DateTimeField(null=True)),
            ],
            options={"verbose_name_plural": "calendar counts"},
        ),
        migrations.CreateModel(
            name="CalendarDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("total", models.JSONField()),
                ("hours", models.JSONField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "day"), name="calendar_day_once")
                ],
            },
        ),
    ]
