"""A flood of webhooks: ``pytest tests/faults/test_floods.py --long -s`` keeps one up for seven minutes."""

from __future__ import annotations

import json
import statistics
import time

import redis as redis_client
from django.utils import timezone
from kombu import Connection

from conversations import outbox
from conversations.tasks import send_replies
from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from tests.faults import rows
from tests.faults.servers import wait_until
from trochai.clock import database_now
from trochai.queues import WEBHOOKS
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks

# Statuses a second that a burst of 57 messages a second brings: more than one worker reads.
RATE = 171


def report(line, number):
    """Return what Meta says of a message that nobody here has sent."""
    status = {
        "id": f"wamid.{number}",
        "status": "delivered",
        "timestamp": str(int(time.time())),
        "recipient_id": "50688881234",
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": line.phone_number_id},
        "statuses": [status],
    }
    return json.dumps({"entry": [{"id": line.waba_id, "changes": [{"field": "messages", "value": value}]}]})


class Flood:
    def __init__(self, trochai, line):
        self._broker = trochai.redis.url
        self._line = line
        self._count = 0

    def pour(self, count):
        now = database_now()
        numbers = range(self._count, self._count + count)
        self._count += count
        WebhookDelivery.objects.bulk_create(
            # Not due for the sweep: what is measured is the queue.
            WebhookDelivery(
                channel=self._line, body=report(self._line, n).encode(), received_at=now, next_attempt_at=now
            )
            for n in numbers
        )
        with Connection(self._broker) as broker:
            for _number in numbers:
                process_waiting_webhooks.apply_async(connection=broker, retry=False)

    def waiting(self):
        with redis_client.Redis.from_url(self._broker) as client:
            return client.llen(WEBHOOKS)


def one_of_each(trochai, line, talk):
    """Have a follow-up fall due and a person write; return how many seconds each took to reach Meta."""
    known = len(trochai.cloud.calls)
    began = time.monotonic()
    (follow_up,) = rows.make_follow_ups(line, 1)
    message = outbox.send_reply(
        conversation=talk, text="Buenos días", by=line.organization.memberships.get().user, now=timezone.now()
    )
    with Connection(trochai.redis.url) as broker:
        for task in (send_due_follow_ups, send_replies):
            task.apply_async(connection=broker, retry=False)
    while FollowUp.objects.filter(pk=follow_up).exclude(status=Status.SENT).exists() or _is_sending(message):
        assert time.monotonic() < began + 60, "not sent within a minute"
        time.sleep(0.02)
    calls = trochai.cloud.calls[known:]
    reached = {call.reference.partition(":")[0]: call.at - began for call in calls}
    return reached["attempt"], reached["message"]


def _is_sending(message):
    message.refresh_from_db()
    return message.delivery == "sending"


def test_a_flood_of_webhooks_holds_up_neither_follow_ups_nor_replies(installation, is_long):
    trochai = installation
    line = rows.make_channel()
    trochai.workers_of_production()
    flood = Flood(trochai, line)
    talks = rows.make_talks(line, 100)
    flood.pour(3000)
    figures = [one_of_each(trochai, line, talks.pop())]
    assert flood.waiting() > 0
    ends_at = time.monotonic() + (420 if is_long else 0)
    while time.monotonic() < ends_at:
        second = time.monotonic() + 1
        flood.pour(RATE)
        if len(talks) and int(second) % 5 == 0:
            figures.append(one_of_each(trochai, line, talks.pop()))
        time.sleep(max(0.0, second - time.monotonic()))
    for name, seconds in zip(("follow-ups", "replies"), zip(*figures, strict=True), strict=True):
        print(f"{name} reached Meta within {max(seconds):.2f} s, median {statistics.median(seconds):.2f} s")
    print(f"{flood.waiting()} webhooks wait")


def test_a_burst_of_follow_ups_holds_up_no_reply(installation):
    """Both share the channel's line, and nothing else."""
    trochai = installation
    line = rows.make_channel(messages_per_second=75)
    trochai.workers_of_production()
    rows.make_follow_ups(line, 1500)
    trochai.tick()
    wait_until(lambda: len(trochai.cloud.calls) > 100, "the burst has begun")
    waits = []
    for talk in rows.make_talks(line, 20):
        began = time.monotonic()
        member = line.organization.memberships.get().user
        message = outbox.send_reply(conversation=talk, text="Buenos días", by=member, now=timezone.now())
        with Connection(trochai.redis.url) as broker:
            send_replies.apply_async(connection=broker, retry=False)
        wait_until(lambda message=message: not _is_sending(message), "the reply is accepted")
        (call,) = [each for each in trochai.cloud.calls if each.reference == f"message:{message.uuid}"]
        waits.append(call.at - began)
    assert FollowUp.objects.filter(status=Status.PENDING).exists()
    print(f"replies reached Meta within {max(waits):.2f} s, median {statistics.median(waits):.2f} s")
