"""Finds in the sentences that were stored what they said: a cause, or the kind of a message without words.

In batches, each a transaction of its own: messages are many. Running it again does no harm.
"""

from __future__ import annotations

from django.db import migrations
from django.db.models import OuterRef, Subquery

from trochai.whatsapp.migrations._told import batches, meaning_of

LABELS = {
    "button": {"Button"},
    "interactive": {"Reply"},
    "image": {"Photo"},
    "video": {"Video"},
    "audio": {"Audio", "Voice message"},
    "document": {"Document"},
    "sticker": {"Sticker"},
    "location": {"Location"},
    "system": {"Notice from WhatsApp"},
    "contacts": {"Contact card"},
    "order": {"Order"},
}
OTHER = {"A message that can only be read in WhatsApp"}
REACTED, UNREACTED = "Reacted with ", "Removed a reaction"


def find_causes(apps, schema_editor):
    for name in ("Message", "EarlyStatus"):
        manager = apps.get_model("conversations", name).objects.using(schema_editor.connection.alias)
        told = manager.exclude(error_reason="").only("error_code", "error_reason")
        for page in batches(told):
            for row in page:
                row.error_cause, row.error_values = meaning_of(row.error_code, row.error_reason)
            manager.bulk_update(page, ["error_cause", "error_values"], batch_size=200)
    # That one may have arrived is said of every message whose delivery is unknown.
    messages = apps.get_model("conversations", "Message").objects.using(schema_editor.connection.alias)
    messages.filter(delivery="unknown").update(error_cause="", error_values={})


def own_words(kind, text):
    """Return what the contact said; of a reaction its emoji."""
    if kind == "reaction":
        return "" if text == UNREACTED else text.removeprefix(REACTED)
    return "" if text in LABELS.get(kind, OTHER) else text


def forget_labels(apps, schema_editor):
    manager = apps.get_model("conversations", "Message").objects.using(schema_editor.connection.alias)
    worded = manager.filter(direction="in").exclude(kind="text").exclude(text="")
    for page in batches(worded.only("kind", "text")):
        changed = []
        for message in page:
            words = own_words(message.kind, message.text)
            if words != message.text:
                message.text = words
                changed.append(message)
        manager.bulk_update(changed, ["text"], batch_size=200)


def kind_of(message_kind, content):
    audio = content.get("audio") if isinstance(content, dict) else None
    is_voice = message_kind == "audio" and isinstance(audio, dict) and audio.get("voice") is True
    return "voice" if is_voice else message_kind


def find_preview_kinds(apps, schema_editor):
    alias = schema_editor.connection.alias
    Message = apps.get_model("conversations", "Message")
    manager = apps.get_model("conversations", "Conversation").objects.using(alias)
    shown = Message.objects.using(alias).filter(conversation=OuterRef("pk"), at=OuterRef("last_message_at"))
    shown = shown.order_by("-pk")
    rows = manager.exclude(preview="").annotate(
        **{name: Subquery(shown.values(name)[:1]) for name in ("direction", "kind", "text", "content")}
    )
    for page in batches(rows.only("preview", "preview_is_template")):
        for row in page:
            if row.preview_is_template or row.kind is None:
                row.preview_kind = "template" if row.preview_is_template else "text"
                continue
            row.preview_kind = kind_of(row.kind, row.content)
            if row.direction == "in" and row.kind != "text":
                row.preview = " ".join(row.text.split())[:200]
        manager.bulk_update(page, ["preview_kind", "preview"], batch_size=200)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0004_failures_and_kinds")]

    operations = [
        migrations.RunPython(find_causes, migrations.RunPython.noop),
        migrations.RunPython(forget_labels, migrations.RunPython.noop),
        migrations.RunPython(find_preview_kinds, migrations.RunPython.noop),
    ]
