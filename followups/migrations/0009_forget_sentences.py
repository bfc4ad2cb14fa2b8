from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("followups", "0008_tell_sentences_apart")]

    operations = [
        migrations.RemoveConstraint("followup", "follow_up_failed_says_why"),
        migrations.RemoveField("followup", "failure_reason"),
        migrations.RemoveField("followupattempt", "reason"),
        migrations.AddConstraint(
            "followup",
            models.CheckConstraint(
                condition=~Q(status="failed")
                | Q(failed_at__isnull=False)
                & ~Q(failure_kind="")
                & (Q(failure_code__isnull=False) | ~Q(failure_cause="")),
                name="follow_up_failed_says_why",
            ),
        ),
    ]
