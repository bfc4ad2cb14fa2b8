"""The Celery application; its settings are the ``CELERY_*`` names in ``trochai.settings``."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")

app = Celery("trochai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def leave_what_was_imported_alone(**_signal: Any) -> None:
    """Exempt everything imported so far from garbage collection, and collect less often.

    Traversing Django's classes stopped every thread for 0.1 s several times a second during a burst, and
    messages missed their slots.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
