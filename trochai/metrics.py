"""Prometheus metrics: what the processes count themselves, and what is read from the database when asked.

No label names a person, a phone number or an organization. ``docs/operations.md`` explains each name.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery.signals import worker_ready
from django.conf import settings
from prometheus_client import Counter, Gauge, Histogram, start_http_server

logger = structlog.get_logger(__name__)

# Seconds. A call takes 0.1 to 1; the read timeout is 30, a lease 120.
_CALL_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 20, 35)
_LATENESS_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 900, 3600, 14400)

CALLS = Counter(
    "trochai_follow_up_calls",
    "Calls to Meta for follow-ups, by how they ended: accepted, temporary, channel, permanent, unknown.",
    ["outcome"],
)
UNSENT = Counter(
    "trochai_follow_ups_unsent",
    "Follow-ups that failed without a call: the check before sending refused them, or they were missed.",
    ["kind"],
)
UNKNOWN_FIELDS = Counter(
    "trochai_webhook_fields_unknown", "Changes that Meta reported in fields of which nothing is known here."
)
GROUP_MESSAGES = Counter(
    "trochai_group_messages", "Messages to groups, which are left out: only chats with one person come in."
)
REPLIES = Counter(
    "trochai_reply_calls",
    "Calls to Meta for what people wrote, by how they ended: accepted, failed, unknown.",
    ["outcome"],
)
REPLY_SECONDS = Histogram(
    "trochai_reply_seconds",
    "From the moment a person's message was written to the moment Meta accepted it.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120),
)
CALL_SECONDS = Histogram("trochai_whatsapp_call_seconds", "One call to Meta.", buckets=_CALL_BUCKETS)
SETTLEMENT_SECONDS = Histogram("trochai_settlement_seconds", "Writing one group of outcomes to the database.")
BATCH_SIZE = Histogram(
    "trochai_settlement_rows",
    "Outcomes in one group.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
RUN_SECONDS = Histogram(
    "trochai_run_seconds",
    "One run of a worker that sends: follow_ups, or replies.",
    ["what"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 50, 60),
)
LATENESS_SECONDS = Histogram(
    "trochai_lateness_seconds",
    "From the moment a follow-up was due to the moment Meta accepted it.",
    buckets=_LATENESS_BUCKETS,
)
LINE_WAIT_SECONDS = Counter(
    "trochai_line_wait_seconds", "Time spent waiting for a rate limit, by the reason.", ["why"]
)
STREAMS = Gauge("trochai_live_streams", "Browsers that are told what changes.")
EVENTS = Counter("trochai_live_events", "Events that were written into streams.")


@worker_ready.connect
def serve(**_signal: Any) -> None:
    """Serve what this process counts at ``METRICS_PORT``, from a thread; if it cannot, it carries on."""
    if not settings.METRICS_PORT:
        return
    try:
        start_http_server(settings.METRICS_PORT, addr=settings.METRICS_ADDRESS)
    except OSError as error:
        logger.error("metrics_not_served", port=settings.METRICS_PORT, why=str(error))
    else:
        logger.info("metrics_served", address=settings.METRICS_ADDRESS, port=settings.METRICS_PORT)
