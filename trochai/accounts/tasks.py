"""Celery tasks of the accounts."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.core.management import call_command


@shared_task(ignore_result=True)
def purge_sessions(**_future: Any) -> None:
    """Remove sessions that have ended. Once a night."""
    call_command("clearsessions")
