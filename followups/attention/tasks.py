"""Celery tasks that look at what waits: after a change, once a night, and at what no night has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from followups.attention import limits, looking, numbers
from followups.attention.looking import Concerned
from trochai.clock import database_now
from trochai.whatsapp.sending.dispatch import stopping


@shared_task(ignore_result=True)
def look(by: str, pks: Sequence[int], **_future: Any) -> None:
    """Look at what waits of these (``looking.Concerned``), one of which has changed."""
    looking.look(looking.concerned(Concerned(by), pks), now=database_now())


@shared_task(ignore_result=True)
def look_at_days(organization_id: int, **_future: Any) -> None:
    """Look at how many wait for each day of an organization, whose messaging limit has changed."""
    limits.look_at_all_days(organization_id, now=database_now())


@shared_task(ignore_result=True)
def look_at_all(**_future: Any) -> None:
    """Look at all that waits, for what nobody was told of. Beat starts this once a night."""
    now = database_now()
    looking.look_at_all(now=now, stop=stopping.is_set)
    numbers.purge(now=now)


@shared_task(ignore_result=True)
def look_at_overdue(**_future: Any) -> None:
    """Look at organizations that no night has looked at. Beat starts this every ten minutes."""
    looking.look_at_overdue(now=database_now(), stop=stopping.is_set)
