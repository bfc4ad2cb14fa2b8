"""For comparison: one plain Celery task per row, as an ordinary Django project would start out.

Celery's defaults, except for Redis as the broker and no results. With ``BENCHMARK_KEEP_CONNECTIONS`` set, a
thread keeps its database connection from task to task (Celery's ``CELERY_DB_REUSE_MAX``); by default
Celery closes it before and after each.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.plain_settings")

from celery import Celery

app = Celery("one_task_a_row", broker=os.environ.get("REDIS_URL"))
app.conf.task_ignore_result = True
if os.environ.get("BENCHMARK_KEEP_CONNECTIONS"):
    app.conf.CELERY_DB_REUSE_MAX = 1_000_000


@app.task
def enqueue_due() -> None:
    """What beat would start every minute."""
    from tests.benchmarks.plain_row import due_ids

    for pk in due_ids():
        send_one.delay(pk)


@app.task
def send_one(pk: int) -> None:
    from tests.benchmarks.plain_row import send

    send(pk)
