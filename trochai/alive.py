"""Shows by one file that a worker or beat is alive, so that a health check need not start another Python.

``ALIVE_FILE`` is touched while a worker is connected to the broker (every two seconds), and whenever beat has
handed a job to the broker (every minute). A container's health check asks how old the file is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery.signals import after_task_publish, beat_init, heartbeat_sent
from django.conf import settings


@heartbeat_sent.connect
def touch(**_signal: Any) -> None:
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch()


@beat_init.connect
def touch_after_each_job(**_signal: Any) -> None:
    """Web and workers publish jobs too, but only in beat does that prove that the process works."""
    after_task_publish.connect(touch)
