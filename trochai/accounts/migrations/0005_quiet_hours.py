from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
WEEKDAYS = [
    (1, "Monday"),
    (2, "Tuesday"),
    (3, "Wednesday"),
    (4, "Thursday"),
    (5, "Friday"),
    (6, "Saturday"),
    (7, "Sunday"),
]


def of_organization(name: str) -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=name,
        to="accounts.organization",
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_single_keys")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="keeps_holidays",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Public holidays of the country above are quiet, all day.",
            ),
        ),
        migrations.CreateModel(
            name="DayOff",
            fields=[
                ("id", KEY),
                ("date", models.DateField()),
                ("name", models.CharField(blank=True, max_length=60)),
                (
                    "is_quiet",
                    models.BooleanField(
                        default=True,
                        help_text="If not, follow-ups go out as usual although it is a public holiday.",
                    ),
                ),
                ("organization", of_organization("days_off")),
            ],
            options={"verbose_name_plural": "days off", "ordering": ["organization", "date"]},
        ),
        migrations.CreateModel(
            name="SendingHours",
            fields=[
                ("id", KEY.clone()),
                ("weekday", models.PositiveSmallIntegerField(choices=WEEKDAYS)),
                ("begin", models.TimeField(verbose_name="from")),
                ("end", models.TimeField(verbose_name="until")),
                ("organization", of_organization("sending_hours")),
            ],
            options={"verbose_name_plural": "sending hours", "ordering": ["organization", "weekday"]},
        ),
        migrations.AddConstraint(
            model_name="dayoff",
            constraint=models.UniqueConstraint(
                fields=("organization", "date"),
                name="day_off_once",
                violation_error_message="This day is in the list already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="sendinghours",
            constraint=models.UniqueConstraint(
                fields=("organization", "weekday"),
                name="sending_hours_once_a_weekday",
                violation_error_message="This weekday has its hours already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="sendinghours",
            constraint=models.CheckConstraint(
                condition=Q(weekday__gte=1, weekday__lte=7), name="sending_hours_weekday_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="sendinghours",
            constraint=models.CheckConstraint(
                condition=Q(end__gt=F("begin")),
                name="sending_hours_end_after_they_begin",
                violation_error_message="They end after they begin, on the same day.",
            ),
        ),
    ]
