from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KINDS = [
    ("scheduled", "Scheduled"),
    ("canceled", "Canceled"),
    ("retried", "Retried"),
    ("restored", "Restored"),
    ("held", "Held"),
    ("released", "Released"),
    ("deleted", "Deleted"),
    ("kept", "Kept"),
    ("moved", "Moved"),
    ("edited", "Changed"),
    ("sent_now", "Sent now"),
    ("handed", "Handed over"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("followups", "0022_restored"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="followup",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(owner__isnull=False), fields=["owner"], name="follow_up_owner"
            ),
        ),
        migrations.RemoveConstraint(model_name="followupchange", name="follow_up_change_kind_is_known"),
        migrations.AlterField(
            model_name="followupchange", name="kind", field=models.CharField(choices=KINDS, max_length=10)
        ),
        migrations.AddConstraint(
            model_name="followupchange",
            constraint=models.CheckConstraint(
                condition=models.Q(kind__in=[kind for kind, _label in KINDS]),
                name="follow_up_change_kind_is_known",
            ),
        ),
    ]
