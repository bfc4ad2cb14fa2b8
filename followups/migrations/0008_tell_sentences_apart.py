"""Finds in the sentences that were stored what they said: a cause and its values.

In batches, each a transaction of its own. Running it again does no harm.
"""

from __future__ import annotations

import re

from django.db import migrations

from trochai.whatsapp.migrations._told import batches, meaning_of

CAUSES = {
    "The contact no longer wants messages.": "opted_out",
    "The template has changed since: its values no longer fit.": "changed",
    "It could not be prepared for sending: something in it is broken.": "broken",
    "Delivery unknown: it may have reached the contact.": "unknown",
    "WhatsApp could not deliver it.": "not_delivered",
}
MISSED = re.compile(r"Missed: it could not be sent within ([0-9.]+) hours of its time\.")
NOT_APPROVED = re.compile(r"The template is no longer approved by WhatsApp \((.+)\)\.")
# Where Meta's name is not the label in capitals.
STATUSES = {"In review": "PENDING", "Being deleted": "PENDING_DELETION"}


def failure_of(code, sentence):
    if code is None and sentence in CAUSES:
        return CAUSES[sentence], {}
    if found := MISSED.fullmatch(sentence):
        return "missed", {"hours": float(found[1])}
    if found := NOT_APPROVED.fullmatch(sentence):
        label = found[1]
        return "not_approved", {"status": STATUSES.get(label, label.upper().replace(" ", "_"))}
    return meaning_of(code, sentence)


def find_causes(apps, schema_editor):
    manager = apps.get_model("followups", "FollowUp").objects.using(schema_editor.connection.alias)
    told = manager.exclude(failure_reason="").only("failure_code", "failure_reason")
    for page in batches(told):
        for row in page:
            row.failure_cause, row.failure_values = failure_of(row.failure_code, row.failure_reason)
        manager.bulk_update(page, ["failure_cause", "failure_values"], batch_size=200)


def find_causes_of_attempts(apps, schema_editor):
    manager = apps.get_model("followups", "FollowUpAttempt").objects.using(schema_editor.connection.alias)
    told = manager.filter(cause="").exclude(reason="")
    for page in batches(told.only("code", "reason", "details")):
        for attempt in page:
            attempt.cause, _values = meaning_of(attempt.code, attempt.reason)
            if attempt.cause == "as_told":
                words = [attempt.reason, *([attempt.details] if attempt.details else [])]
                attempt.details = " · ".join(words)[:1000]
        manager.bulk_update(page, ["cause", "details"], batch_size=200)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("followups", "0007_failure_cause")]

    operations = [migrations.RunPython(find_causes, migrations.RunPython.noop), migrations.RunPython(find_causes_of_attempts, migrations.RunPython.noop)]
