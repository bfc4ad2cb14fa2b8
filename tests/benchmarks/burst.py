"""``burst``: many follow-ups due at one instant, on PostgreSQL and Redis, by real worker processes.

``python -m tests.benchmarks.burst [--count 10000] [--workers 1]`` makes a database of its own, starts
the stub and the workers, and prints seconds until the last follow-up was accepted *and* recorded, CPU
time a message (workers; PostgreSQL), and whether any was called twice.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("BENCHMARK_DATABASE_SERVER", "postgres://root@127.0.0.1")


def environment(database: str, stub_port: int, redis_db: int) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database,
        "REDIS_URL": f"redis://127.0.0.1:6379/{redis_db}",
        "WHATSAPP_API_URL": f"http://127.0.0.1:{stub_port}",
        "LOG_LEVEL": "WARNING",
        "DEBUG": "0",
        "SECRET_KEY": "benchmark-" * 6,
        "ALLOWED_HOSTS": "localhost",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--messages-per-second", type=int, default=0, help="0: no limit on the channel")
    options = parser.parse_args()
    stub = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.stub"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert stub.stdout is not None
    port = int(stub.stdout.readline())
    name = f"trochai_benchmark_{uuid.uuid4().hex[:8]}"
    try:
        subprocess.run(["createdb", "--host", "127.0.0.1", name], check=True)
        os.environ.update(environment(f"{SERVER}/{name}", port, 9))
        run(options, port)
    finally:
        stub.kill()
        subprocess.run(["dropdb", "--host", "127.0.0.1", "--force", name], check=False)


def run(options: argparse.Namespace, port: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from followups.models import FollowUp, Status
    from tests.benchmarks.rows import make_due

    call_command("migrate", verbosity=0)
    channel = make_due(options.count, messages_per_second=options.messages_per_second or 1000)
    del channel
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    worker = [sys.executable, "-m", "celery", "-A", "trochai", "worker", "--pool", "threads"]
    workers = [
        subprocess.Popen(
            [*worker, "--concurrency", "1", "--hostname", f"bench{n}@%h", "--loglevel", "WARNING"],
            cwd=ROOT,
            start_new_session=True,
        )
        for n in range(options.workers)
    ]
    try:
        time.sleep(6)
        before = {process.pid: cpu(process.pid) for process in workers}
        started = time.monotonic()
        from followups.tasks import send_due_follow_ups

        for _worker in workers:
            send_due_follow_ups.delay(wake_others=False)
        done = 0
        while done < options.count and time.monotonic() - started < 900:
            time.sleep(0.25)
            done = FollowUp.objects.filter(status=Status.SENT).count()
            if time.monotonic() - started > 55 * (1 + (time.monotonic() - started) // 55):
                for _worker in workers:
                    send_due_follow_ups.delay(wake_others=False)
        seconds = time.monotonic() - started
        spent = sum(cpu(process.pid) - before[process.pid] for process in workers)
    finally:
        for process in workers:
            process.send_signal(signal.SIGTERM)
        for process in workers:
            process.wait(30)
    report(options, port, seconds=seconds, spent=spent, done=done)


def report(options: argparse.Namespace, port: int, *, seconds: float, spent: float, done: int) -> None:
    import requests

    calls = requests.get(f"http://127.0.0.1:{port}/calls", timeout=30).json()
    references = calls["references"]
    print(
        f"{options.workers} worker(s), {done} of {options.count} recorded in {seconds:.1f} s: "
        f"{done / seconds:.0f}/s, {1000 * spent / max(done, 1):.2f} ms CPU a message, "
        f"{len(references) - len(set(references))} doubled, {calls['refused']} refused"
    )


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
