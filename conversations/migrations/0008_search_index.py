"""The inbox's search: folds what is there already, and on PostgreSQL indexes pieces of three letters.

Not atomic, so that each batch is committed by itself and locks nothing for long; it may run again.
As in followups.0003, PostgreSQL takes 1,000 samples of the column instead of 100, to tell rare words from
common ones.
"""

from __future__ import annotations

from django.db import migrations

from trochai.search import search_text

BATCH = 1000


def fill(apps, schema_editor):
    contacts = apps.get_model("conversations", "Contact").objects
    _fill(contacts, known_as)
    conversations = apps.get_model("conversations", "Conversation").objects.select_related("contact")
    _fill(conversations, lambda conversation: (*known_as(conversation.contact), conversation.preview))


def known_as(contact):
    return contact.name, contact.phone, contact.whatsapp_user_id


def _fill(rows, parts):
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        for row in batch:
            row.search_text = search_text(*parts(row))
        rows.bulk_update(batch, ["search_text"])
        last = batch[-1].pk


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    # Not by TrigramExtension, which cannot be walked back on SQLite.
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    schema_editor.execute(
        "ALTER TABLE conversations_conversation ALTER COLUMN search_text SET STATISTICS 1000"
    )
    schema_editor.execute(
        "CREATE INDEX IF NOT EXISTS conversation_search ON conversations_conversation"
        " USING gin (search_text gin_trgm_ops)"
    )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP INDEX IF EXISTS conversation_search")
    schema_editor.execute("ALTER TABLE conversations_conversation ALTER COLUMN search_text SET STATISTICS -1")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("conversations", "0007_search_text")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(create, drop),
    ]
