"""The search in what was said: on PostgreSQL an index of words, elsewhere nothing.

The expression is that of ``conversations.message_search``, and must stay the same. Made while messages are
written, which takes minutes with millions of them.
"""

from __future__ import annotations

from django.db import migrations

LETTERS = (
    "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿĀāĂăĄąĆ"
    "ćĈĉĊċČčĎďĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮįİĴĵĶķĹĺĻļĽľŃńŅņŇňŌōŎŏŐő"
    "ŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽž"
)
PLAIN = (
    "aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyyaaaaaac"
    "cccccccddeeeeeeeeeegggggggghhiiiiiiiiijjkkllllllnnnnnnoooooo"
    "rrrrrrssssssssttttuuuuuuuuuuuuwwyyyzzzzzz"
)


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS message_words")  # of a try that broke off
    schema_editor.execute(
        "CREATE INDEX CONCURRENTLY message_words ON conversations_message USING gin (to_tsvector('simple',"
        f" translate(lower(left(text, 4096)), '{LETTERS}', '{PLAIN}')))"
        " WHERE direction = 'in' OR kind = 'text'"
    )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS message_words")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("conversations", "0018_tags")]

    operations = [migrations.RunPython(create, drop)]
