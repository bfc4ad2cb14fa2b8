"""``ingestion``: how soon Meta is answered and what it says is seen, while a burst goes out and afterwards.

``python -m tests.benchmarks.ingestion`` runs what docker-compose.yml does: two web processes, one worker that
sends and one that reads webhooks. First ``--rate`` messages a second go out, and three statuses of each come
back, in ``--posts`` POSTs a second; then nothing is sent, and as many POSTs of one event each come: texts,
and a fourth status. Answers are timed by the client. "Applied" is when the transaction that wrote an event
was about to commit, by a trigger of the benchmark's own, and counts from before the POST.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.measure import filled, print_table
from tests.faults.servers import children, free_port

# Seconds after the call at which Meta says so; it may come before the call's answer is recorded.
STEPS = {"sent": 0.8, "delivered": 1.0, "read": 3.0}
# Events that Meta puts into a body at the most, when many are waiting.
MOST = 50
TRIGGER = """
    ALTER TABLE whatsapp_webhookdelivery ADD COLUMN applied_at timestamptz;
    CREATE FUNCTION note_when() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.applied_at := clock_timestamp(); RETURN NEW; END $$;
    CREATE TRIGGER note_when BEFORE UPDATE ON whatsapp_webhookdelivery FOR EACH ROW
        WHEN (NEW.processed_at IS NOT NULL AND OLD.processed_at IS NULL) EXECUTE FUNCTION note_when()
"""
LAGS = """
    SELECT extract(epoch FROM applied_at) - (convert_from(body, 'UTF8')::jsonb->>'posted_at')::float
      FROM whatsapp_webhookdelivery WHERE convert_from(body, 'UTF8')::jsonb->>'phase' = %s ORDER BY 1
"""


@dataclass
class Meta:
    """Posts as Meta does, so many times a second whether or not answers come; ``answers`` in seconds."""

    url: str
    waba_id: str
    phone_number_id: str
    secret: bytes
    answers: list[float] = field(default_factory=list)
    refused: int = 0
    events: int = 0

    async def post(self, session: Any, phase: str, values: list[dict]) -> None:
        metadata = {"metadata": {"phone_number_id": self.phone_number_id}}
        changes = [{"field": "messages", "value": metadata | value} for value in values]
        # Two keys that Meta does not send, for LAGS.
        told = {"posted_at": time.time(), "phase": phase, "entry": [{"id": self.waba_id, "changes": changes}]}
        body = json.dumps(told).encode()
        signature = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        headers["X-Forwarded-Proto"] = "https"
        begun = time.perf_counter()
        async with session.post(self.url, data=body, headers=headers) as answer:
            self.refused += answer.status != 200
        self.answers.append(time.perf_counter() - begun)
        self.events += len(values)

    async def post_all(self, phase: str, bodies: AsyncIterator[list[dict]]) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            async for values in bodies:
                group.create_task(self.post(session, phase, values))


async def paced(per_second: float, *, seconds: float) -> AsyncIterator[float]:
    """Yield so many times a second, without catching up on what was missed."""
    begun = time.monotonic()
    for turn in range(int(seconds * per_second)):
        await asyncio.sleep(max(0, begun + turn / per_second - time.monotonic()))
        yield time.monotonic()


async def statuses(stub: str, posts: float, *, seconds: float) -> AsyncIterator[list[dict]]:
    """Yield bodies of what has happened to the messages that the stub has accepted."""
    waiting: dict[str, list[tuple[float, dict]]] = {step: [] for step in STEPS}
    seen, asked_at = 0, 0.0
    async for now in paced(posts, seconds=seconds):
        if now - asked_at > 0.1:
            asked_at = now
            report = await asyncio.to_thread(processes.get, f"{stub}/calls/{seen}")
            for at, to, reference, _accepted in json.loads(report)["calls"]:
                seen += 1
                for step, later in STEPS.items():
                    waiting[step].append((at + later, status(f"wamid.{seen}", step, to, reference)))
        due = [value for step in STEPS for value in _take(waiting[step], now)]
        for start in range(0, len(due), MOST):
            yield due[start : start + MOST]


def _take(queue: list[tuple[float, dict]], now: float) -> list[dict]:
    """Take the first of a queue in order of time that are due."""
    count = next((place for place, (at, _value) in enumerate(queue) if at > now), len(queue))
    taken = [value for _at, value in queue[:count]]
    del queue[:count]
    return taken


def status(whatsapp_id: str, step: str, to: str, reference: str) -> dict:
    return {
        "statuses": [
            {
                "id": whatsapp_id,
                "status": step,
                "timestamp": str(int(time.time())),
                "recipient_id": to.removeprefix("+"),
                "biz_opaque_callback_data": reference,
            }
        ]
    }


def text(number: int, sender: str) -> dict:
    sender = sender.removeprefix("+")
    node = {"from": sender, "id": f"wamid.text.{number}", "timestamp": str(int(time.time()))}
    node |= {"type": "text", "text": {"body": "Sí, el sábado me queda bien. ¿A qué hora?"}}
    return {"contacts": [{"profile": {"name": "Inés"}, "wa_id": sender}], "messages": [node]}


def singles(events: Iterator[dict], posts: float, *, seconds: float) -> AsyncIterator[list[dict]]:
    """Yield bodies of one event each, made beforehand."""
    made = list(islice(events, int(posts * seconds)))

    async def bodies() -> AsyncIterator[list[dict]]:
        moments = paced(posts, seconds=seconds)
        for event in made:
            await anext(moments)
            yield [event]

    return bodies()


def played_and_texts() -> Iterator[dict]:
    from conversations.models import Message

    sent = Message.objects.filter(direction="out").select_related("conversation__contact").order_by("pk")
    for number, message in enumerate(sent):
        phone = message.conversation.contact.phone
        yield status(message.whatsapp_id, "played", phone, f"attempt:{message.attempt}")
        yield text(number, phone)


def commands(port: int) -> list[list[str]]:
    """Return the processes as they are in docker-compose.yml: web, what sends, what reads webhooks."""
    web = ["gunicorn", "trochai.wsgi", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    web += ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--no-control-socket"]
    worker = ["celery", "--app", "trochai", "worker", "--pool", "threads", "--concurrency", "4"]
    worker += ["--loglevel", "WARNING"]
    return [
        processes.python(*web),
        processes.python(*worker, "--hostname", "sends@%h", "--queues", "sending,housekeeping"),
        processes.python(*worker, "--hostname", "reads@%h", "--queues", "webhooks"),
    ]


def measure(*, seconds: float, posts: float) -> None:
    """Run in the database that the environment names, and print what was seen."""
    import django

    django.setup()
    from django.db import connection

    from followups.models import FollowUp
    from followups.tasks import send_due_follow_ups
    from trochai.celery import app
    from trochai.whatsapp.models import Channel

    with connection.cursor() as cursor:
        cursor.execute(TRIGGER)
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    channel, port = Channel.objects.get(), free_port()
    url = f"http://localhost:{port}/webhooks/whatsapp/{channel.uuid}/"
    rows, count = [], FollowUp.objects.count()
    with processes.stub() as (_pid, stub):
        os.environ["WHATSAPP_API_URL"] = stub
        with processes.running(commands(port)) as (web, sends, reads):
            processes.wait_until(
                "workers ready", lambda: len(app.control.ping(timeout=1)) == 2, seconds=processes.START
            )
            processes.wait_until("serving", lambda: _serves(port), seconds=processes.START)
            send_due_follow_ups.delay()
            for phase in ("sending", "nothing is sent"):
                meta = Meta(url, channel.waba_id, channel.phone_number_id, channel.app_secret.encode())
                if phase == "sending":
                    bodies = statuses(stub, posts, seconds=seconds + max(STEPS.values()) + 2)
                else:
                    bodies = singles(played_and_texts(), posts, seconds=seconds / 2)
                parts = {
                    "web": [web, *children(web)],
                    "sends": [sends],
                    "reads": [reads],
                    "this": [os.getpid()],
                }
                before, begun = _used(parts, backend), time.monotonic()
                asyncio.run(meta.post_all(phase, bodies))
                took = time.monotonic() - begun
                processes.wait_until("all sent and read", _is_all_done, seconds=processes.START)
                rows.append(_row(connection, phase, meta, took))
                spent = {part: used - before[part] for part, used in _used(parts, backend).items()}
                print(
                    phase,
                    {part: round(seconds / took, 2) for part, seconds in spent.items()},
                    "cores",
                    flush=True,
                )
            calls = [at for at, *_call in json.loads(processes.get(f"{stub}/calls"))["calls"]]
    print(f"{count} sent in {calls[-1] - calls[0]:.1f} s")
    print_table(
        ["", "POSTs, events a second", "answered: ms (median, 99 %)", "applied: ms (median, 99 %, most)"],
        rows,
    )


def _used(parts: dict[str, list[int]], backend: int) -> dict[str, float]:
    """Return the CPU seconds that each part has used so far."""
    used = {part: sum(map(processes.cpu, pids)) for part, pids in parts.items()}
    return {**used, "PostgreSQL": processes.server_cpu(backend), "Redis": processes.redis_cpu()}


def _row(connection: Any, phase: str, meta: Meta, seconds: float) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(LAGS, [phase])
        lags = [1000 * lag for (lag,) in cursor.fetchall()]
    answers = sorted(1000 * answer for answer in meta.answers)
    assert not meta.refused, meta.refused
    per_second = f"{len(answers) / seconds:,.0f}, {meta.events / seconds:,.0f}"
    return [
        phase,
        per_second,
        f"{statistics.median(answers):.0f}, {_late(answers):.0f}",
        f"{statistics.median(lags):.0f}, {_late(lags):.0f}, {lags[-1]:.0f}",
    ]


def _late(values: list[float]) -> float:
    return values[int(len(values) * 0.99)]


def _is_all_done() -> bool:
    from followups.models import FollowUp, Status
    from trochai.whatsapp.models import WebhookDelivery

    unsent = FollowUp.objects.exclude(status=Status.SENT)
    return not unsent.exists() and not WebhookDelivery.objects.filter(processed_at=None).exists()


def _serves(port: int) -> bool:
    try:
        return bool(processes.get(f"http://localhost:{port}/healthz"))
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=300, help="messages a second that the channel sends")
    parser.add_argument("--posts", type=int, default=200, help="webhooks a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--measure", action="store_true", help="in the database named by DATABASE_URL")
    options = parser.parse_args()
    if options.measure:
        measure(seconds=options.seconds, posts=options.posts)
        return
    processes.stop_on_sigterm()
    with processes.Database() as database:
        filled(database, count=options.rate * options.seconds, messages_per_second=options.rate)
        environment = {**database.environment(), "DJANGO_SETTINGS_MODULE": "trochai.settings"}
        command = processes.python("tests.benchmarks.ingestion", "--measure")
        command += ["--posts", str(options.posts), "--seconds", str(options.seconds)]
        subprocess.run(command, cwd=processes.ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
