from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_quiet_hours_as_a_rule"),
        ("followups", "0032_calendar_counts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Attention",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("template", "Its template cannot be sent any more"),
                            ("opted_out", "The contact opted out"),
                            ("number", "The contact’s number changed"),
                            ("left", "Whoever is in charge has left"),
                            ("quiet", "Quiet hours where the contact is"),
                            ("holiday", "A day off"),
                            ("limit", "More than WhatsApp lets through that day"),
                        ],
                        max_length=16,
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=64)),
                ("values", models.JSONField(default=dict)),
                ("found_at", models.DateTimeField()),
                ("kept_at", models.DateTimeField(null=True)),
                (
                    "follow_up",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attention",
                        to="followups.followup",
                    ),
                ),
                (
                    "kept_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
                "verbose_name_plural": "attention",
                "indexes": [
                    models.Index(
                        condition=models.Q(("kept_at__isnull", True)),
                        fields=["organization", "cause", "subject"],
                        name="attention_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("follow_up", "cause"), name="attention_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "cause__in",
                                ["template", "opted_out", "number", "left", "quiet", "holiday", "limit"],
                            )
                        ),
                        name="attention_cause_is_known",
                    ),
                ],
            },
        ),
    ]
