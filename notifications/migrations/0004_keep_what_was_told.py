"""Keeps title and text as they were told; those of sent follow-ups, which are most, are taken apart.

In batches, each a transaction of its own. Running it again does no harm.
"""

from __future__ import annotations

import re

from django.db import migrations

SENT = re.compile(r"to (.+): ([^\s:]+)", re.DOTALL)


def values_of(notification):
    found = SENT.fullmatch(notification.text)
    if notification.kind == "follow_up_sent" and found:
        return {"contact": found[1], "template": found[2]}
    return {"told": {"title": notification.title, "text": notification.text}}


def keep(apps, schema_editor):
    manager = apps.get_model("notifications", "Notification").objects.using(schema_editor.connection.alias)
    rows, last = manager.only("kind", "title", "text").order_by("pk"), 0
    while page := list(rows.filter(pk__gt=last)[:1000]):
        for notification in page:
            notification.values = values_of(notification)
        manager.bulk_update(page, ["values"], batch_size=200)
        last = page[-1].pk


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0003_values")]

    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
