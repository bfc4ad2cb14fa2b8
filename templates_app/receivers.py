"""What Meta's webhooks say about templates."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from templates_app.models import Template, TemplateStatus
from templates_app.sync import normalize_language, update
from templates_app.tasks import sync_soon
from trochai.clock import database_now
from trochai.whatsapp import signals
from trochai.whatsapp.models import Channel
from trochai.whatsapp.webhooks.parsing import (
    TemplateCategory,
    TemplateEdit,
    TemplateEvent,
    TemplateQuality,
    TemplateStatusUpdate,
)

# By how much Meta's clock and ours may differ.
CLOCKS_DIFFER = dt.timedelta(minutes=5)

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
    if status == TemplateStatus.APPROVED:
        # Often after an edit, of whose text only the list tells.
        sync_soon(channel.pk)
    _update(channel, event, {"status": status, "rejected_reason": event.reason[:500] if rejected else ""})


@receiver(signals.template_edit)
def text_changed(channel: Channel, event: TemplateEdit, **_: Any) -> None:
    sync_soon(channel.pk)


@receiver(signals.template_quality)
def quality_changed(channel: Channel, event: TemplateQuality, **_: Any) -> None:
    _update(channel, event, {"quality": event.score.upper()[:16] or "UNKNOWN"})


@receiver(signals.template_category)
def category_changed(channel: Channel, event: TemplateCategory, **_: Any) -> None:
    announced = {"announced_category": event.announced, "category_changes_at": event.changes_at}
    _update(channel, event, {"category": event.category, **announced})


def _update(channel: Channel, event: TemplateEvent, fields: dict[str, Any]) -> None:
    """Write to each of the organization's numbers: one account's templates serve all of its numbers.

    What is not surely news is left to Meta's list: an event from before the last one or before the last sync,
    and one of another template that has, or had, the same name.
    """
    # Compared with when a list was fetched, by another process.
    now = database_now()
    with transaction.atomic():
        templates = (
            Template.objects.select_for_update(of=("self",))
            .filter(
                channel__organization_id=channel.organization_id,
                channel__waba_id=channel.waba_id,
                name=event.name,
                language=normalize_language(event.language),
            )
            .select_related("channel")
            .order_by("pk")
        )
        found = list(templates)
        news = [template for template in found if _is_news(template, event)]
        for template in news:
            # Even if nothing differs, so that a list fetched before this event does not overwrite it.
            Template.objects.filter(pk=template.pk).update(synced_at=now, told_at=event.at)
            template.told_at = event.at
            update(template, fields, now)
    if len(news) < len(found) or not found:
        sync_soon(channel.pk)


def _is_news(template: Template, event: TemplateEvent) -> bool:
    if event.meta_id and template.meta_id and event.meta_id != template.meta_id:
        return False
    if template.told_at is not None:
        return event.at >= template.told_at
    listed_at = template.channel.templates_synced_at
    return listed_at is None or event.at > listed_at - CLOCKS_DIFFER
