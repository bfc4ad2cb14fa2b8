"""What Meta's webhooks say about templates."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from templates_app.models import Template, TemplateStatus
from templates_app.sync import normalize_language, update
from templates_app.tasks import sync_soon
from trochai.clock import database_now
from trochai.whatsapp import signals
from trochai.whatsapp.models import Channel
from trochai.whatsapp.webhooks.parsing import TemplateCategory, TemplateQuality, TemplateStatusUpdate

# Events that are not statuses themselves, and the status that follows from each.
_MEANS = {"REINSTATED": TemplateStatus.APPROVED.value}


@receiver(signals.template_status)
def status_changed(channel: Channel, event: TemplateStatusUpdate, **_: Any) -> None:
    status = _MEANS.get(event.status.upper(), event.status.upper())
    rejected = status == TemplateStatus.REJECTED and event.reason.upper() != "NONE"
    if status not in TemplateStatus.values:
        # FLAGGED, LOCKED, UNARCHIVED, …: only Meta's list says whether it can still be sent.
        sync_soon(channel.pk)
        return
    _update(channel, event, {"status": status, "rejected_reason": event.reason[:500] if rejected else ""})


@receiver(signals.template_quality)
def quality_changed(channel: Channel, event: TemplateQuality, **_: Any) -> None:
    _update(channel, event, {"quality": event.score.upper()[:16] or "UNKNOWN"})


@receiver(signals.template_category)
def category_changed(channel: Channel, event: TemplateCategory, **_: Any) -> None:
    _update(channel, event, {"category": event.category.upper()[:32]})


def _update(
    channel: Channel, event: TemplateStatusUpdate | TemplateQuality | TemplateCategory, fields: dict[str, str]
) -> None:
    """Write to each of the organization's numbers: one account's templates serve all of its numbers."""
    # Compared with when a list was fetched, by another process.
    now = database_now()
    with transaction.atomic():
        templates = (
            Template.objects.select_for_update()
            .filter(
                channel__organization_id=channel.organization_id,
                channel__waba_id=channel.waba_id,
                name=event.name,
                language=normalize_language(event.language),
            )
            .order_by("pk")
        )
        found = list(templates)
        for template in found:
            # Even if nothing differs, so that a list fetched before this event does not overwrite it.
            Template.objects.filter(pk=template.pk).update(synced_at=now)
            update(template, fields, now)
    if not found:
        sync_soon(channel.pk)
