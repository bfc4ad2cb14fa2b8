"""The search by contact: on PostgreSQL an index of three-letter pieces, elsewhere nothing.

As in 0008, PostgreSQL takes 1,000 samples of the column, to tell rare names from common ones.
"""

from __future__ import annotations

from django.db import migrations


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("ALTER TABLE conversations_contact ALTER COLUMN search_text SET STATISTICS 1000")
    schema_editor.execute(
        "CREATE INDEX contact_search ON conversations_contact USING gin (search_text gin_trgm_ops)"
    )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP INDEX IF EXISTS contact_search")
    schema_editor.execute("ALTER TABLE conversations_contact ALTER COLUMN search_text SET STATISTICS -1")


class Migration(migrations.Migration):
    dependencies = [("conversations", "0016_notes")]

    operations = [migrations.RunPython(create, drop)]
