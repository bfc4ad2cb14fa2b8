from __future__ import annotations

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
]


class Migration(migrations.Migration):
    dependencies = [("followups", "0019_edited")]

    operations = [
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
