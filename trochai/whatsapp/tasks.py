"""Celery tasks of the webhook and of stopped channels. Thin: the rows are the queue."""

from __future__ import annotations

import time
from typing import Any

from celery import shared_task

from trochai.clock import database_now
from trochai.whatsapp import limit_reading, portfolios, probes
from trochai.whatsapp.webhooks import deliveries

# Seconds. A sweep goes on while much is due, or makes room for other tasks until the next minute's.
SWEEP_TIME = 50.0


@shared_task
def process_waiting_webhooks(**_: Any) -> None:
    """When something has come; and every minute, for what is due again or of which no worker was told."""
    ends_at = time.monotonic() + SWEEP_TIME
    while time.monotonic() < ends_at and (batch := deliveries.next_batch(database_now())):
        done = deliveries.process_together(batch, now=database_now())
        for delivery_id in batch:
            if delivery_id not in done:
                deliveries.process(delivery_id, now=database_now())
        # What has come meanwhile wakes another, which finds more of it at once.
        if len(batch) < deliveries.SHARE:
            return


@shared_task
def purge_webhooks(**_: Any) -> None:
    """Once a day."""
    deliveries.purge(database_now())


@shared_task
def probe_stopped_channels(**_: Any) -> None:
    """Every five minutes: resume what works again."""
    probes.probe_stopped(now=database_now())


@shared_task
def learn_portfolios(**_: Any) -> None:
    """Once an hour, for numbers that are new."""
    portfolios.learn_unknown()


@shared_task
def read_messaging_limits(**_: Any) -> None:
    """Once an hour, for the numbers whose turn has come: each is asked for once a day."""
    limit_reading.read_due(now=database_now())
