from __future__ import annotations

import datetime as dt

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

KINDS = [
    ("days", "Days from today"),
    ("weeks", "Weeks from today"),
    ("weekday", "Day of the week, Monday is 1"),
    ("day", "Day of the month"),
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_single_keys"), ("followups", "0025_go_on_with_bulk_changes")]

    operations = [
        migrations.CreateModel(
            name="Preset",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        help_text="1 to 5, the order in which they are offered.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(5),
                        ],
                    ),
                ),
                (
                    "name",
                    models.CharField(help_text="As the dialog calls it: “Monday 8:30 AM”.", max_length=40),
                ),
                ("kind", models.CharField(choices=KINDS, max_length=8)),
                (
                    "number",
                    models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                ),
                (
                    "time",
                    models.TimeField(default=dt.time(9), help_text="In the organization’s time zone."),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="presets",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={"ordering": ["organization", "position"]},
        ),
        migrations.AddConstraint(
            model_name="preset",
            constraint=models.UniqueConstraint(
                fields=("organization", "position"),
                name="preset_position_is_taken_once",
                violation_error_message="Another preset has this position.",
            ),
        ),
        migrations.AddConstraint(
            model_name="preset",
            constraint=models.CheckConstraint(
                condition=models.Q(position__gte=1, position__lte=5), name="preset_is_one_of_five"
            ),
        ),
        migrations.AddConstraint(
            model_name="preset",
            constraint=models.CheckConstraint(
                condition=models.Q(number__gte=1)
                & (
                    models.Q(kind="days", number__lte=365)
                    | models.Q(kind="weeks", number__lte=52)
                    | models.Q(kind="weekday", number__lte=7)
                    | models.Q(kind="day", number__lte=31)
                ),
                name="preset_is_possible",
                violation_error_message=(
                    "At most 365 for days, 52 for weeks, 7 for a weekday, 31 for a day of the month."
                ),
            ),
        ),
    ]
