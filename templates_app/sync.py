"""Bring a channel's templates in line with Meta's list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction

from templates_app.components import format_of
from templates_app.models import Template, TemplateStatus
from templates_app.signals import template_changed
from trochai import changes
from trochai.changes import Kind
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    import datetime as dt

log = structlog.get_logger(__name__)

# These decide whether and how a template can be sent, so listeners are told when one changes.
TELLING = ("status", "category", "parameter_format", "components")

Key = tuple[str, str]


@dataclass(frozen=True)
class SyncResult:
    """How many templates are new, have changed, and are gone from Meta."""

    added: int
    changed: int
    removed: int


def sync_channel(channel: Channel, now: dt.datetime) -> SyncResult:
    """Fetch the channel's templates from Meta and write what has changed.

    ``now`` is when the fetch begins: what a webhook or another sync has written since then is newer
    than the list and is left alone. Raises the errors of ``trochai.whatsapp.cloud_api.errors``; nothing is
    written then.
    """
    listed = _by_key(client_for(channel).templates(channel.waba_id))
    with transaction.atomic():
        # Two syncs at once would both add the same rows.
        Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        result = _write(channel, listed, now)
        Channel.objects.filter(pk=channel.pk).update(templates_synced_at=now)
    changes.changed([channel.organization_id], [Kind.TEMPLATES])
    log.info("templates_synced", channel=channel.pk, added=result.added, changed=result.changed)
    return result


def normalize_language(code: str) -> str:
    """en-US → en_US: webhooks write a hyphen where the API wants an underscore."""
    return code.replace("-", "_")


def _write(channel: Channel, listed: dict[Key, dict[str, Any]], now: dt.datetime) -> SyncResult:
    # Locked in one order everywhere, so that a webhook's change waits and is not lost.
    rows = Template.objects.for_channel(channel).select_for_update().order_by("pk")
    known = {(template.name, template.language): template for template in rows}
    added = [
        Template(channel=channel, name=name, language=language, synced_at=now, **fields)
        for (name, language), fields in listed.items()
        if (name, language) not in known
    ]
    for template in added:
        template.prepare_search()
    Template.objects.bulk_create(added)
    older = {key: template for key, template in known.items() if template.synced_at <= now}
    changed = sum(update(template, listed[key], now) for key, template in older.items() if key in listed)
    removed = sum(
        update(template, {"status": TemplateStatus.DELETED}, now)
        for key, template in older.items()
        if key not in listed
    )
    return SyncResult(added=len(added), changed=changed, removed=removed)


def update(template: Template, fields: Mapping[str, Any], now: dt.datetime) -> bool:
    """Write the fields that differ, tell listeners where it matters, and return whether any did."""
    different = {name for name, value in fields.items() if getattr(template, name) != value}
    if not different:
        return False
    for name, value in fields.items():
        setattr(template, name, value)
    template.synced_at = now
    template.save()
    if telling := different & set(TELLING):
        template_changed.send(sender=Template, template=template, changed=telling)
    return True


def _by_key(entries: Iterable[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Return the fields of each listed template by name and language; broken entries are left out."""
    listed = {}
    for entry in entries:
        name, language = text(entry.get("name"))[:512], normalize_language(text(entry.get("language"))[:15])
        if name and language:
            listed[name, language] = _fields(entry)
    return listed


def _fields(entry: dict[str, Any]) -> dict[str, Any]:
    components = entry.get("components")
    reason = text(entry.get("rejected_reason"))[:500]
    return {
        "meta_id": str(entry.get("id") or "")[:64],
        "status": text(entry.get("status"))[:32].upper() or TemplateStatus.PENDING.value,
        "category": text(entry.get("category"))[:32].upper(),
        "quality": text(mapping(entry, "quality_score").get("score"))[:16].upper() or "UNKNOWN",
        "parameter_format": text(entry.get("parameter_format"))[:16].upper() or format_of(components),
        "components": components if isinstance(components, list) else [],
        # Meta says NONE for none.
        "rejected_reason": "" if reason.upper() == "NONE" else reason,
    }
