"""Find rows that have a note without reading those that have none, as a search on SQLite does."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('followups', '0036_attention_look'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True), models.Q(('note', ''), _negated=True)), fields=['organization'], name='follow_up_noted'),
        ),
    ]
