"""One measured run: real workers send what is due in the database that the environment names.

Run by ``measure.measured``, in a separate process, because Django has one database per process. The clock
runs from the moment at which a worker is woken, as beat would do it, until the last follow-up is accepted
*and* recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import django

from tests.benchmarks import processes
from tests.benchmarks.measure import PROCRASTINATE, TASK_A_ROW, TROCHAI, Plan, Result

# Seconds.
DEADLINE = 1800.0
TICK = 60.0


def _celery(app: str, concurrency: int, number: int) -> list[str]:
    return [
        *processes.python("celery", "--app", app, "worker", "--pool", "threads"),
        *("--concurrency", str(concurrency), "--hostname", f"benchmark{number}@%h", "--loglevel", "WARNING"),
    ]


@dataclass(frozen=True)
class Design:
    """How its worker is started, whether all of them are ready, and what begins the work."""

    command: Callable[[int], list[str]]
    ready: Callable[[int], bool]
    wake: Callable[[], Any]


def _design(name: str) -> Design:
    if name == PROCRASTINATE:
        from tests.benchmarks import with_procrastinate

        return _of_procrastinate(with_procrastinate)
    if name == TASK_A_ROW:
        from tests.benchmarks import one_task_a_row

        celery, package, concurrency = one_task_a_row.app, "tests.benchmarks.one_task_a_row", 64
        wake = one_task_a_row.enqueue_due.delay
    else:
        from followups.tasks import send_due_follow_ups
        from trochai.celery import app

        # As in docker-compose.yml.
        celery, package, concurrency, wake = app, "trochai", 4, send_due_follow_ups.delay
    return Design(
        command=lambda number: _celery(package, concurrency, number),
        ready=lambda workers: len(celery.control.ping(timeout=1)) == workers,
        wake=wake,
    )


def _of_procrastinate(module: Any) -> Design:
    from django.db import connection

    def execute(statement: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def wake() -> None:
        with module.app.open():
            module.enqueue_due.defer()

    execute(module.app.schema_manager.get_schema())
    return Design(
        # Not with -m: its tasks would be those of __main__.
        command=lambda _number: [sys.executable, "-c", f"import {module.__name__} as it; it.work()"],
        ready=lambda workers: execute("SELECT count(*) FROM procrastinate_workers") == (workers,),
        wake=wake,
    )


@contextlib.contextmanager
def _composer(rate: float) -> Iterator[Callable[[], list[tuple[float, bool]]]]:
    """Let people write meanwhile; yield a function that stops them and returns how it went."""
    if not rate:
        yield list
        return
    command = processes.python("tests.benchmarks.composer", "--rate", str(rate))
    process = subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True)

    def stop() -> list[tuple[float, bool]]:
        process.send_signal(signal.SIGTERM)
        output, _errors = process.communicate(timeout=processes.STOP)
        return [(seconds, sent) for seconds, sent in json.loads(output)]

    try:
        yield stop
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _mover(is_wanted: bool) -> Iterator[Callable[[], dict[str, float]]]:
    """Let a bulk change move what waits meanwhile; yield a function that waits for its end."""
    if not is_wanted:
        yield dict
        return
    command = processes.python("tests.benchmarks.bulk", "--move")
    process = subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True)

    def wait() -> dict[str, float]:
        output, _errors = process.communicate(timeout=DEADLINE)
        told: dict[str, float] = json.loads(output.splitlines()[-1])
        return told

    try:
        yield wait
    finally:
        process.kill()
        process.wait()


def _used(workers: list[int], stub: int) -> dict[str, Any]:
    """Return the CPU seconds that each has used so far."""
    from django.db import connection

    server = None
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            server = processes.server_cpu(cursor.fetchone()[0])
    return {
        "worker_cpu": [processes.cpu(pid) for pid in workers],
        "postgres_cpu": server,
        "redis_cpu": processes.redis_cpu() if os.environ.get("REDIS_URL") else None,
        "stub_cpu": processes.cpu(stub),
    }


def _difference(after: Any, before: Any) -> Any:
    if isinstance(after, list):
        return [_difference(*pair) for pair in zip(after, before, strict=True)]
    return None if after is None else after - before


def _recorded(due_by: dt.datetime) -> dict[str, int]:
    """Return how many rows the database has for each part of "sent", of those that were due by then."""
    from django.db.models import Exists, OuterRef

    from conversations.models import Conversation, Message
    from followups.models import FollowUp, Status
    from followups.wording.notices import Kind
    from notifications.models import Notification

    return {
        "called once": FollowUp.objects.filter(scheduled_for__lte=due_by, failures=0).count(),
        "sent": FollowUp.objects.filter(status=Status.SENT).count(),
        "messages": Message.objects.filter(
            Exists(FollowUp.objects.filter(message=OuterRef("pk"))), kind="template"
        ).count(),
        "conversations moved": Conversation.objects.filter(
            follow_ups__isnull=False, last_outbound_at__isnull=False
        ).count(),
        "notifications": Notification.objects.filter(kind=Kind.FOLLOW_UP_SENT).count(),
    }


def _all_recorded(url: str, count: int, due_by: dt.datetime, wake: Callable[[], Any]) -> Callable[[], bool]:
    """Return a check for whether all is done, which rarely asks the database while calls are being made."""
    from followups.models import FollowUp, Status

    begun = asked_at = time.monotonic()
    ticks = 0

    def look() -> bool:
        nonlocal asked_at, ticks
        now = time.monotonic()
        if now - begun > (ticks + 1) * TICK:  # beat's next tick
            ticks += 1
            wake()
        if int(processes.get(f"{url}/accepted")) < count and now - asked_at < 2:
            return False
        asked_at = now
        # A row that was refused for its rate is tried again after five minutes: it is counted, not awaited.
        due = FollowUp.objects.filter(scheduled_for__lte=due_by)
        return not due.exclude(status=Status.SENT).filter(failures=0).exists()

    return look


def run(plan: Plan) -> Result:
    from django.utils import timezone

    from followups.models import FollowUp

    due_by = timezone.now()
    count = FollowUp.objects.filter(scheduled_for__lte=due_by).count()
    design = _design(plan.design)
    with contextlib.ExitStack() as stack:
        stub, url = stack.enter_context(processes.stub(rate=plan.stub_rate))
        os.environ["WHATSAPP_API_URL"] = url
        commands = [design.command(number) for number in range(plan.workers)]
        workers = stack.enter_context(processes.running(commands))
        processes.wait_until("workers ready", lambda: design.ready(plan.workers), seconds=processes.START)
        stop_composer = stack.enter_context(_composer(plan.composer))
        if plan.composer:
            composing = lambda: int(processes.get(f"{url}/accepted")) > 0  # noqa: E731
            processes.wait_until("composing", composing, seconds=processes.START)
        moved = stack.enter_context(_mover(plan.moving))
        before, begun = _used(workers, stub), time.monotonic()
        design.wake()
        done = _all_recorded(url, count, due_by, design.wake if plan.design == TROCHAI else lambda: None)
        processes.wait_until("all recorded", done, seconds=DEADLINE, every=0.05)
        seconds = time.monotonic() - begun
        used = _used(workers, stub)
        composer = stop_composer()
        told = moved()
        seen = json.loads(processes.get(f"{url}/calls"))
        memory = [processes.peak_memory(pid) for pid in workers]
    return Result(
        count=count,
        seconds=seconds,
        worker_memory=memory,
        recorded=_recorded(due_by),
        moved=told,
        composer=composer,
        **{name: _difference(after, before[name]) for name, after in used.items()},
        **seen,
    )


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=json.loads)
    plan = Plan(**parser.parse_args().plan)
    django.setup()
    print(json.dumps(asdict(run(plan))), flush=True)


if __name__ == "__main__":
    main()
