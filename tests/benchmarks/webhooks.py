"""``webhooks``: how fast one worker applies what Meta's webhooks say, in bodies of one event and of many.

``python -m tests.benchmarks.webhooks --events 6000`` fills a PostgreSQL database, stores the bodies as the
web process does, and lets one worker process read them all: three statuses for each message that was sent,
and a text of each contact; then ``MIXED`` texts as they come after an outage, ``MOST`` in a body, out of
order and every tenth twice. CPU is that of the worker and of the whole PostgreSQL server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tests.benchmarks import processes
from tests.benchmarks.measure import print_table

MANY, MOST = 50, 1000
# Events, of which so many are different; from so many contacts.
MIXED, DIFFERENT, WRITERS = 10_000, 9_000, 3_000
STEPS = ("sent", "delivered", "read")
# As if the messages had been accepted a moment ago, each by the attempt of a follow-up.
ACCEPTED = """
    UPDATE conversations_message SET delivery = 'accepted', attempt = gen_random_uuid();
    INSERT INTO followups_followupattempt (id, follow_up_id, claim_token, requested_at, finished_at, outcome,
           cause, details)
    SELECT message.attempt, follow_up.id, gen_random_uuid(), message.at, message.at, 'accepted', '', ''
      FROM conversations_message message
      JOIN followups_followup follow_up ON follow_up.message_id = message.id;
    SELECT setval(pg_get_serial_sequence('conversations_message', 'id'), max(id)) FROM conversations_message;
    VACUUM ANALYZE
"""


def statuses(messages) -> Iterator[dict]:
    for number, step in enumerate(STEPS):
        for message in messages:
            yield {
                "statuses": [
                    {
                        "id": message.whatsapp_id,
                        "status": step,
                        "timestamp": str(int(message.at.timestamp()) + number),
                        "recipient_id": message.conversation.contact.phone.removeprefix("+"),
                        "biz_opaque_callback_data": f"attempt:{message.attempt}",
                        "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility"},
                    }
                ]
            }


def texts(contacts) -> Iterator[dict]:
    for contact in contacts:
        number = contact.phone.removeprefix("+")
        yield {
            "contacts": [{"profile": {"name": contact.name}, "wa_id": number}],
            "messages": [text(number, f"wamid.benchmark.{contact.pk}", at=time.time())],
        }


def mixed(contacts: Sequence, *, begun: float) -> list[dict]:
    """Return several texts of each contact, a few seconds apart, shuffled, every tenth of them twice."""
    events = []
    for number in range(DIFFERENT):
        contact = contacts[number % len(contacts)]
        phone = contact.phone.removeprefix("+")
        message = text(phone, f"wamid.mixed.{number}", at=begun + number / 100)
        events.append(
            {"contacts": [{"profile": {"name": contact.name}, "wa_id": phone}], "messages": [message]}
        )
    chance = random.Random(1)
    events += chance.sample(events, MIXED - DIFFERENT)
    chance.shuffle(events)
    return events


def text(sender: str, whatsapp_id: str, *, at: float) -> dict:
    return {
        "from": sender,
        "id": whatsapp_id,
        "timestamp": str(int(at)),
        "type": "text",
        "text": {"body": "Sí, el sábado me queda bien. ¿A qué hora?"},
    }


def bodies(channel, values: Iterable[dict], *, size: int) -> Iterator[bytes]:
    """Return the bodies that have so many events each."""
    metadata = {"metadata": {"phone_number_id": channel.phone_number_id}, "messaging_product": "whatsapp"}
    values = iter(values)
    while piece := list(islice(values, size)):
        changes = [{"field": "messages", "value": {**metadata, **value}} for value in piece]
        entry = {"id": channel.waba_id, "changes": changes}
        yield json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def measure(count: int) -> None:
    """Store and read bodies in the database that the environment names, and print what they cost."""
    import django

    django.setup()
    from django.db import connection

    from conversations.models import Contact, Message
    from trochai.whatsapp.models import Channel, WebhookDelivery

    channel = Channel.objects.order_by("pk")[0]
    with connection.cursor() as cursor:
        for statement in ACCEPTED.split(";"):
            cursor.execute(statement)
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    sent = Message.objects.filter(channel=channel).select_related("conversation__contact").order_by("pk")
    contacts = Contact.objects.filter(conversations__channel=channel).order_by("pk")
    half = count // len(STEPS) // 2
    plans = {
        f"statuses, {MANY} in a body": (statuses(sent[:half]), MANY),
        "statuses, 1 in a body": (statuses(sent[half : 2 * half]), 1),
        f"messages, {MANY} in a body": (texts(contacts[: count // 2]), MANY),
        "messages, 1 in a body": (texts(contacts[count // 2 : count]), 1),
        f"messages, {MOST:,} in a body, mixed": (mixed(contacts[:WRITERS], begun=time.time() + 60), MOST),
    }
    rows = []
    for name, (made, size) in plans.items():
        values = list(made)
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(channel=channel, body=body) for body in bodies(channel, values, size=size)
        )
        postgres = processes.server_cpu(backend)
        worker = processes.python("tests.benchmarks.webhooks", "--drain")
        told = subprocess.run(worker, cwd=processes.ROOT, check=True, stdout=subprocess.PIPE, text=True)
        seconds, cpu = map(float, told.stdout.split())
        left = WebhookDelivery.objects.filter(processed_at=None).count()
        assert left == 0, left
        postgres = processes.server_cpu(backend) - postgres
        per = 1000 / len(values)
        rows.append([name, f"{len(values) / seconds:,.0f}", f"{cpu * per:.2f}", f"{postgres * per:.2f}"])
        print(name, rows[-1], flush=True)
    assert Message.objects.filter(pk__in=sent[: 2 * half].values("pk")).exclude(delivery="read").count() == 0
    assert Message.objects.filter(whatsapp_id__startswith="wamid.benchmark.").count() == count
    assert Message.objects.filter(whatsapp_id__startswith="wamid.mixed.").count() == DIFFERENT
    print_table(["", "events a second", "CPU ms an event: worker", "PostgreSQL"], rows)


def drain() -> None:
    """Read all that waits, as a worker does; print the seconds and the CPU seconds of this process."""
    import django

    django.setup()
    from trochai.clock import database_now
    from trochai.whatsapp.tasks import process_waiting_webhooks
    from trochai.whatsapp.webhooks import deliveries

    begun, cpu = time.perf_counter(), time.process_time()
    while deliveries.waiting(database_now()).exists():
        process_waiting_webhooks()
    print(time.perf_counter() - begun, time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--events", type=int, default=6000, help="of each kind, in both sizes of body together"
    )
    parser.add_argument("--measure", action="store_true", help="in the database named by DATABASE_URL")
    parser.add_argument("--drain", action="store_true", help="be the worker")
    options = parser.parse_args()
    if options.drain:
        drain()
        return
    if options.measure:
        measure(options.events)
        return
    processes.stop_on_sigterm()
    with processes.Database() as database:
        environment = {**database.environment(), "DJANGO_SETTINGS_MODULE": "trochai.settings"}
        table = processes.python("tests.benchmarks.table", "--rows", "100000")
        subprocess.run(table, cwd=processes.ROOT, env=environment, check=True)
        measured = processes.python("tests.benchmarks.webhooks", "--measure", "--events", str(options.events))
        subprocess.run(measured, cwd=processes.ROOT, env={**os.environ, **environment}, check=True)


if __name__ == "__main__":
    main()
