"""What waits, for how long, and what holds it up: read when a monitor asks (``/metrics``).

A handful of queries, each on an index and each of bounded cost: what could be very many is counted
only up to ``CAP``. No label names a person, a phone number or an organization.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from kombu.connection import Connection
from kombu.exceptions import ChannelError
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from followups.holds.brake import Brake, now_held
from followups.models import FollowUp, Hold, Status
from followups.sending import ticks
from trochai.celery import app
from trochai.queues import QUEUES
from trochai.whatsapp.models import Channel, WebhookDelivery
from trochai.whatsapp.webhooks import deliveries

CAP = 10_000
# A call lasts at most 35 seconds, and its outcome is written at once: after this nobody will say by HTTP
# how it ended.
ANSWERED_WITHIN = dt.timedelta(minutes=1)
# Seconds that a broker may take to answer.
PATIENCE = 2.0
NOT_FOUND = "404"
# Of a channel; what is on hold waits for a person, so its age is no alarm.
STATES = ("working", "stopped", "held")
DATABASE_UP = ("trochai_database_up", "1 if the database answered the questions that the other metrics need.")


@dataclass(frozen=True)
class DueChannel:
    """A channel with something to send: since when, and ``held``, ``stopped`` or ``working``."""

    channel_id: int
    oldest_due_at: dt.datetime
    state: str


class BacklogCollector(Collector):
    """Collects the state as of ``now``. Without a database it reports that, and whatever else it knows."""

    def __init__(self, *, now: dt.datetime) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        try:
            yield from [*self._from_database(), gauge(*DATABASE_UP, 1)]
        except DatabaseError:
            yield gauge(*DATABASE_UP, 0)
        if (depths := broker_depths()) is not None:
            messages = GaugeMetricFamily(
                "trochai_broker_messages",
                "Messages in the broker that no worker has taken, by queue.",
                labels=["queue"],
            )
            for queue, depth in depths.items():
                messages.add_metric([queue], depth)
            yield messages

    def _from_database(self) -> Iterator[Metric]:
        yield from self._due()
        held = FollowUp.objects.filter(status=Status.PROCESSING).aggregate(
            all=Count("pk"), unknown=Count("pk", filter=Q(requested_at__lte=self._now - ANSWERED_WITHIN))
        )
        yield gauge("trochai_follow_ups_processing", "Follow-ups that a worker holds.", held["all"])
        yield gauge(
            "trochai_follow_ups_outcome_unknown",
            "Follow-ups that were handed to Meta and of which nobody knows yet whether it took them.",
            held["unknown"],
        )
        retries = FollowUp.objects.filter(status=Status.PENDING, failures__gt=0)
        yield gauge(
            "trochai_follow_ups_retrying", f"Follow-ups that wait for a retry, up to {CAP}.", capped(retries)
        )
        webhooks = WebhookDelivery.objects.filter(processed_at__isnull=True, next_attempt_at__isnull=False)
        yield gauge(
            "trochai_webhooks_waiting",
            f"Webhook deliveries that are stored but not processed, up to {CAP}.",
            capped(webhooks),
        )
        yield gauge(
            "trochai_webhooks_set_aside",
            f"Webhook deliveries that were given up and wait for somebody to replay them, up to {CAP}.",
            capped(deliveries.set_aside()),
        )
        stopped = Channel.objects.filter(stopped_at__isnull=False)
        yield gauge(
            "trochai_channels_stopped", "WhatsApp channels from which nothing can be sent.", stopped.count()
        )
        yield gauge(
            "trochai_holds", "Holds by which follow-ups wait for a person.", Hold.objects.in_force().count()
        )
        if (ticked_at := ticks.last()) is not None:
            age = (self._now - ticked_at).total_seconds()
            yield gauge(
                "trochai_last_tick_age_seconds", "Since a worker last began to send what is due.", age
            )

    def _due(self) -> Iterator[Metric]:
        count = GaugeMetricFamily(
            "trochai_follow_ups_due",
            f"Follow-ups that are due and wait, up to {CAP}; those of stopped channels and on hold apart.",
            labels=["channel"],
        )
        lag = GaugeMetricFamily(
            "trochai_due_lag_seconds", "How long the oldest due follow-up has waited.", labels=["channel"]
        )
        lines = lines_with_due(self._now)
        for label in STATES:
            mine = [line for line in lines if line.state == label]
            oldest = min((line.oldest_due_at for line in mine), default=self._now)
            due = FollowUp.objects.due(self._now).filter(channel__in=[line.channel_id for line in mine])
            count.add_metric([label], capped(due))
            lag.add_metric([label], (self._now - oldest).total_seconds())
        yield from (count, lag)


def lines_with_due(now: dt.datetime) -> list[DueChannel]:
    """Return the channels that have something to send, with one look-up in the due index for each."""
    waiting = FollowUp.objects.waiting().filter(channel=OuterRef("pk"))
    oldest = waiting.order_by("next_attempt_at", "pk").values("next_attempt_at")[:1]
    channels = Channel.objects.annotate(oldest=Subquery(oldest)).order_by("pk")
    columns = ("pk", "organization", "oldest", "stopped_at")
    brake = now_held()
    return [
        DueChannel(pk, oldest_due_at, _state(pk, organization, stopped_at, brake))
        for pk, organization, oldest_due_at, stopped_at in channels.values_list(*columns)
        if oldest_due_at is not None and oldest_due_at <= now
    ]


def _state(channel_id: int, organization_id: int, stopped_at: dt.datetime | None, brake: Brake) -> str:
    if brake.stops(channel_id, organization_id):
        return "held"
    return "working" if stopped_at is None else "stopped"


def broker_depths() -> dict[str, int] | None:
    """Return how many messages of each queue no worker has taken; None while the broker does not answer."""
    impatient = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    try:
        with app.connection_for_read(connect_timeout=PATIENCE, transport_options=impatient) as broker:
            return {name: _depth(broker, name) for name in QUEUES}
    except Exception:  # each transport has errors of its own
        return None


def _depth(broker: Connection, name: str) -> int:
    try:
        return int(broker.default_channel.queue_declare(name, passive=True).message_count)
    except ChannelError as error:
        if str(error.reply_code) != NOT_FOUND:
            raise
        return 0  # Redis keeps no empty lists


def capped(rows: QuerySet) -> int:
    """Count up to ``CAP`` rows."""
    return rows.order_by()[:CAP].count()


def gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)
