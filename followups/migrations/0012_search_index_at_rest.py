"""Leave the rows that are being sent out of the search's index.

Each change of a row writes all of its pieces of three letters anew. Two of the three changes by which a
follow-up is sent lead to "processing", where it stays for a moment: those rows are found by their status.
"""

from __future__ import annotations

from django.db import migrations

AT_REST = " AND status <> 'processing'"


def rebuild(condition):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor != "postgresql":
            return
        schema_editor.execute("DROP INDEX IF EXISTS follow_up_search")
        schema_editor.execute(
            "CREATE INDEX follow_up_search ON followups_followup"
            f" USING gin (search_text gin_trgm_ops) WHERE deleted_at IS NULL{condition}"
        )

    return run


class Migration(migrations.Migration):
    dependencies = [("followups", "0011_no_expiry")]

    operations = [migrations.RunPython(rebuild(AT_REST), rebuild(""))]
