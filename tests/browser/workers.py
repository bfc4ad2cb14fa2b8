"""What workers do while a browser looks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


def in_a_worker(*tasks: Callable[[], object]) -> None:
    """Run tasks in turn as a worker does: in a thread, as this one has the browser's event loop."""

    def run() -> None:
        try:
            for task in tasks:
                task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
