"""Write fewer indexes with each change of a row, and find and count by more than one filter in those there are.

The search finds contacts first (followups.pages.search): of the words only those of notes are indexed here, so
a follow-up without a note writes no index of words on its way to being sent.
"""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def index_notes(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP INDEX IF EXISTS follow_up_search")
    schema_editor.execute(
        "CREATE INDEX follow_up_note_search ON followups_followup"
        " USING gin (search_text gin_trgm_ops) WHERE deleted_at IS NULL AND NOT note = ''"
    )


def index_all(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP INDEX IF EXISTS follow_up_note_search")
    schema_editor.execute(
        "CREATE INDEX follow_up_search ON followups_followup"
        " USING gin (search_text gin_trgm_ops) WHERE deleted_at IS NULL AND status <> 'processing'"
    )


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_purge_sessions'),
        ('conversations', '0017_contact_search'),
        ('followups', '0014_held'),
        ('templates_app', '0005_event_order'),
        ('whatsapp', '0008_portfolios'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='followup',
            name='follow_up_waiting',
        ),
        migrations.RemoveIndex(
            model_name='followup',
            name='follow_up_by_creator',
        ),
        migrations.RemoveIndex(
            model_name='followup',
            name='follow_up_by_template',
        ),
        migrations.RemoveIndex(
            model_name='followup',
            name='follow_up_of_conversation',
        ),
        migrations.AlterField(
            model_name='followup',
            name='canceled_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='followup',
            name='channel',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='follow_ups', to='whatsapp.channel'),
        ),
        migrations.AlterField(
            model_name='followup',
            name='conversation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='follow_ups', to='conversations.conversation'),
        ),
        migrations.AlterField(
            model_name='followup',
            name='message',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='conversations.message'),
        ),
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True), ('next_attempt_at__isnull', False)), fields=['organization', 'scheduled_for', 'id'], name='follow_up_waiting'),
        ),
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['created_by', 'organization', '-scheduled_for', '-id', 'status', 'template', 'next_attempt_at'], name='follow_up_by_creator'),
        ),
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['template', '-scheduled_for', '-id', 'status', 'next_attempt_at'], name='follow_up_by_template'),
        ),
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(condition=models.Q(('canceled_by__isnull', False)), fields=['canceled_by'], name='follow_up_canceled_by'),
        ),
        migrations.AddIndex(
            model_name='followup',
            index=models.Index(fields=['conversation', 'next_attempt_at'], name='follow_up_of_conversation'),
        ),
        migrations.AddConstraint(
            model_name='followup',
            constraint=models.UniqueConstraint(condition=models.Q(('message__isnull', False)), fields=('message',), name='follow_up_once_per_message'),
        ),
        migrations.RunPython(index_notes, index_all),
    ]
