"""The Celery application; its settings are the ``CELERY_*`` names in ``trochai.settings``."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import django
from celery import Celery
from celery.signals import after_setup_logger, worker_ready
from django.core.exceptions import ImproperlyConfigured

from trochai.preflight import refuse_unsafe

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")

app = Celery("trochai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@after_setup_logger.connect
def look_before_starting(**_signal: Any) -> None:
    """End a worker or beat, which both set up their logs first; Celery would catch any other exception."""
    django.setup()
    try:
        refuse_unsafe()
    except ImproperlyConfigured as error:
        sys.exit(str(error))


@worker_ready.connect
def leave_what_was_imported_alone(**_signal: Any) -> None:
    """Exempt everything imported so far from garbage collection, and collect less often.

    Traversing Django's classes stopped every thread for 0.1 s several times a second during a burst, and
    messages missed their slots.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
