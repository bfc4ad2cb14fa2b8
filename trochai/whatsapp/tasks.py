"""Celery tasks of the webhook and of stopped channels. Thin: the rows are the queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from trochai.clock import database_now
from trochai.whatsapp import probes
from trochai.whatsapp.webhooks import deliveries

# One sweep takes at most so many; the next is a minute away.
SWEEP = 500


@shared_task
def process_webhook(delivery_id: int, **_: Any) -> None:
    deliveries.process(delivery_id, now=timezone.now())


@shared_task
def process_waiting_webhooks(**_: Any) -> None:
    """Every minute: what is due again, and what lost its task to a broker or a worker that was down."""
    for delivery_id in list(deliveries.waiting(timezone.now()).values_list("pk", flat=True)[:SWEEP]):
        deliveries.process(delivery_id, now=timezone.now())


@shared_task
def purge_webhooks(**_: Any) -> None:
    """Once a day."""
    deliveries.purge(timezone.now())


@shared_task
def probe_stopped_channels(**_: Any) -> None:
    """Every five minutes: resume what works again."""
    probes.probe_stopped(now=database_now())
