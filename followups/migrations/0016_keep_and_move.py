from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('followups', '0015_fewer_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='followupchange',
            name='follow_up_change_kind_is_known',
        ),
        migrations.AddField(
            model_name='followup',
            name='kept_after_reply',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='followupchange',
            name='kind',
            field=models.CharField(choices=[('scheduled', 'Scheduled'), ('canceled', 'Canceled'), ('retried', 'Retried'), ('restored', 'Restored'), ('held', 'Held'), ('released', 'Released'), ('deleted', 'Deleted'), ('kept', 'Kept'), ('moved', 'Moved')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='followupchange',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['scheduled', 'canceled', 'retried', 'restored', 'held', 'released', 'deleted', 'kept', 'moved'])), name='follow_up_change_kind_is_known'),
        ),
    ]
