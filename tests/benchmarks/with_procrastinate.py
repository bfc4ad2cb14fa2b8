"""For comparison: one procrastinate job per row, in 64 threads.

Tuned: jobs are deferred in bulk, each thread keeps its database connection, and the loop has as many
threads as the worker takes jobs at once, where asyncio's default is the number of processors + 4.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import django
import procrastinate

CONCURRENCY = 64

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=os.environ.get("DATABASE_URL", ""), min_size=4, max_size=16
    )
)


@app.task
def enqueue_due() -> None:
    from tests.benchmarks.plain_row import due_ids

    send_one.batch_defer(*({"pk": pk} for pk in due_ids()))


@app.task
def send_one(pk: int) -> None:
    from tests.benchmarks.plain_row import send

    send(pk)


def work() -> None:
    """Run a worker until SIGTERM."""
    django.setup()
    asyncio.run(_work())


async def _work() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONCURRENCY))
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY)
