"""Webhook bodies: stored before Meta is answered, processed when a worker takes them.

The row is the queue; a task only wakes a worker. A body whose processing fails is tried again as
a whole, so receivers must cope with the same event twice.
"""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import models, transaction
from django.db.models import Q

from trochai.whatsapp import signals
from trochai.whatsapp.models import Channel, WebhookDelivery
from trochai.whatsapp.webhooks import parsing

logger = structlog.get_logger(__name__)

# A worker that died while processing leaves the delivery to others after this long.
LEASE = dt.timedelta(minutes=5)
# Waits after the first, second, … failure; after the last one the delivery is given up.
BACKOFF = tuple(dt.timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 360, 360, 360, 360, 360))
KEEP_PROCESSED = dt.timedelta(days=7)
KEEP_FAILED = dt.timedelta(days=30)

SIGNALS = {
    parsing.InboundMessage: signals.inbound_message,
    parsing.MessageStatus: signals.message_status,
    parsing.TemplateStatusUpdate: signals.template_status,
    parsing.TemplateQuality: signals.template_quality,
    parsing.TemplateCategory: signals.template_category,
    parsing.MarketingPreference: signals.marketing_preference,
}


def store(channel: Channel, body: bytes, *, now: dt.datetime) -> WebhookDelivery:
    """Store a verified body, to be processed at once."""
    return WebhookDelivery.objects.create(channel=channel, body=body, received_at=now, next_attempt_at=now)


def waiting(now: dt.datetime) -> models.QuerySet[WebhookDelivery]:
    """Return what is due, oldest first: also what a lost task or a dead worker left behind."""
    due = WebhookDelivery.objects.filter(processed_at__isnull=True, next_attempt_at__lte=now)
    return due.order_by("next_attempt_at", "pk")


def process(delivery_id: int, *, now: dt.datetime) -> bool:
    """Hand on the facts of one delivery; return False if it is not due or another worker has it."""
    lease = now + LEASE
    # next_attempt_at is also the claim: while somebody holds it, it lies ahead for everybody else.
    if not waiting(now).filter(pk=delivery_id).order_by().update(next_attempt_at=lease):
        return False
    held = WebhookDelivery.objects.filter(
        pk=delivery_id, processed_at__isnull=True, next_attempt_at=lease
    ).select_related("channel")
    delivery = held.get()
    try:
        payload = parsing.decode(bytes(delivery.body))
    except ValueError as error:
        # Genuine, but not JSON: trying again would not help, and Meta would repeat it for a week.
        logger.error("webhook body is not JSON", delivery=delivery_id, error=type(error).__name__)
        held.update(processed_at=now, next_attempt_at=None, error="The body is not JSON.")
        return True
    _settle(held, delivery, _hand_on(delivery, payload), now)
    return True


def purge(now: dt.datetime) -> int:
    """Delete what was processed long ago; return how many rows."""
    processed = Q(processed_at__lt=now - KEEP_PROCESSED, error="")
    failed = Q(processed_at__lt=now - KEEP_FAILED)
    return WebhookDelivery.objects.filter(processed | failed).delete()[0]


def _hand_on(delivery: WebhookDelivery, payload: object) -> str:
    """Send one signal an event, each in its own transaction; return what went wrong, or nothing."""
    channel, failures = delivery.channel, []
    try:
        events = list(
            parsing.events(
                payload,
                phone_number_id=channel.phone_number_id,
                waba_id=channel.waba_id,
                received_at=delivery.received_at,
            )
        )
    except Exception as error:
        # If its failures were not counted, it would come back for ever.
        logger.exception("webhook body cannot be read", delivery=delivery.pk)
        return f"parser: {type(error).__name__}"
    for event in events:
        try:
            with transaction.atomic():
                SIGNALS[type(event)].send(sender=Channel, channel=channel, event=event)
        except Exception as error:
            # Whatever it is, the other events of this body must not wait for it.
            kind = type(event).__name__
            logger.exception("webhook event failed", delivery=delivery.pk, kind=kind)
            failures.append(f"{kind}: {type(error).__name__}")
    return "; ".join(failures)


def _settle(
    held: models.QuerySet[WebhookDelivery], delivery: WebhookDelivery, error: str, now: dt.datetime
) -> None:
    if not error:
        held.update(processed_at=now, next_attempt_at=None, error="")
        return
    failures, error = delivery.failures + 1, error[:500]
    if failures <= len(BACKOFF):
        held.update(failures=failures, next_attempt_at=now + BACKOFF[failures - 1], error=error)
        return
    logger.error("webhook delivery given up", delivery=delivery.pk, failures=failures, error=error)
    held.update(failures=failures, processed_at=now, next_attempt_at=None, error=error)
