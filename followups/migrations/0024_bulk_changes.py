from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_single_keys"),
        ("followups", "0023_owner"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("move", "Move"),
                            ("cancel", "Cancel"),
                            ("hand_over", "Hand over"),
                            ("template", "Change template"),
                            ("delete", "Delete"),
                        ],
                        max_length=10,
                    ),
                ),
                ("values", models.JSONField(default=dict)),
                ("selection", models.JSONField()),
                ("submission", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("cursor", models.BigIntegerField(default=0)),
                ("total", models.PositiveIntegerField(null=True)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("concerned", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("worked_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("stop_requested_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "ending",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("done", "Done"),
                            ("stopped", "Stopped"),
                            ("forbidden", "No longer allowed"),
                            ("broken", "Given up"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "by",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BulkRefusal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=32)),
                (
                    "bulk_change",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refusals",
                        to="followups.bulkchange",
                    ),
                ),
                (
                    "follow_up",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="followups.followup"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="bulkchange",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)),
                fields=["organization", "worked_at"],
                name="bulk_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkchange",
            constraint=models.UniqueConstraint(
                fields=("organization", "submission"), name="bulk_once_per_submission"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("action__in", ["move", "cancel", "hand_over", "template", "delete"])),
                name="bulk_action_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ending", ""), ("finished_at__isnull", True)),
                    models.Q(
                        ("ending__in", ["done", "stopped", "forbidden", "broken"]),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="bulk_finished_says_how",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkrefusal",
            index=models.Index(fields=["bulk_change", "id"], name="bulk_refusals"),
        ),
    ]
