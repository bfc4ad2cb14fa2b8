"""Celery tasks: they only wake up the work; the rows in the database say what there is to do."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from followups import lifecycle
from followups.bulk import job
from followups.calendar import kept
from followups.holds import releasing
from followups.imports import work as imports
from followups.models import Hold
from followups.sending import ticks
from followups.sending.work import dispatcher
from trochai.accounts.models import Organization
from trochai.clock import database_now
from trochai.waking import waker
from trochai.whatsapp.sending.dispatch import stopping

logger = structlog.get_logger(__name__)

# How often a call for help is passed on by a process that is sending already.
PASSES = 8


@shared_task(ignore_result=True)
def send_due_follow_ups(*, wake_others: bool = True, **_future: Any) -> None:
    """Send everything that is due. Beat starts this every minute; any number may run at once.

    When more is due than one batch, further workers are woken with the same task.
    """
    now = database_now()
    silence = ticks.record(now=now)
    if silence is not None:
        logger.warning("sending_again", seconds_without_ticks=round(silence.total_seconds()))
    lifecycle.tidy_up(now=now)
    if Hold.objects.being_released().exists():
        # Somebody has just asked for it, or the task that did it was lost.
        waker.wake(release_holds)
    _send(wake_others=wake_others)


@shared_task(ignore_result=True)
def help_to_send(*, passes: int = 0, **_future: Any) -> None:
    """Send with another worker that has more than enough to do.

    Where that worker's own process has taken this task, it is passed on: a second thread of one process
    sends no faster than the first. What an earlier run has left in the broker sends nothing before a tick has
    looked (``ticks.is_guarded``).
    """
    if ticks.is_guarded(now=database_now()):
        return
    if dispatcher.is_sending():
        if passes:
            _wake(passes=passes - 1)
        return
    _send(wake_others=False)


@shared_task(ignore_result=True)
def release_holds(**_future: Any) -> None:
    """Release what somebody has asked for, once what is late has been dealt with, and have it sent."""
    holds = Hold.objects.being_released().select_related("released_by", "channel")
    over = [releasing.release(hold, now=database_now(), stop=stopping.is_set) for hold in holds]
    if any(over):
        waker.wake(send_due_follow_ups)


def _send(*, wake_others: bool) -> None:
    def claimed(more: bool) -> None:
        nonlocal wake_others
        if more and wake_others:
            wake_others = False
            for _worker in range(settings.FOLLOWUPS_MAX_WORKERS - 1):
                _wake(passes=PASSES)

    if dispatcher.send_in_this_process(claimed=claimed) and not stopping.is_set():
        # The run's time was up: the rest must not wait for the next tick, nor other tasks for the rest.
        _wake(passes=PASSES)


def _wake(*, passes: int) -> None:
    try:
        help_to_send.apply_async(kwargs={"passes": passes}, retry=False)
    except OperationalError:
        # This worker sends on alone.
        logger.exception("no broker: no further worker was woken")


@shared_task(ignore_result=True)
def change_many(**_future: Any) -> None:
    """Make the bulk changes that there are: woken by each, and every minute for what a lost worker left.

    One worker makes all of them, in turn, and rests after each chunk: what is due and what people do come
    first.
    """
    if job.is_at_work(now=database_now()):
        return
    began = time.monotonic()
    while job.do_next(now=database_now()) and not stopping.wait(job.rest(time.monotonic() - began)):
        began = time.monotonic()


@shared_task(ignore_result=True)
def repeat_follow_ups(**_future: Any) -> None:
    """Make the next follow-up of each series that waits for nothing. Beat starts this every minute."""
    lifecycle.make_due(now=database_now())


@shared_task(ignore_result=True)
def purge_deleted_follow_ups(**_future: Any) -> None:
    """Remove what was deleted, and bulk changes that ended, 30 days ago. Beat starts this once a night."""
    now = database_now()
    lifecycle.purge_deleted(now=now)
    job.purge(now=now)


@shared_task(ignore_result=True)
def work_on_imports(**_future: Any) -> None:
    """Check and schedule what people import: woken by them, and every minute for what no worker heard of."""
    while not stopping.is_set() and imports.do_next(now=database_now()):
        pass


@shared_task(ignore_result=True)
def purge_imports(**_future: Any) -> None:
    """Delete imports that are of no more use. Beat starts this once a night."""
    imports.purge(now=database_now())


@shared_task(ignore_result=True)
def count_calendar(organization_id: int, **_future: Any) -> None:
    """Count the days ahead of an organization whose calendar somebody looks at (``calendar.kept``)."""
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        return
    later = kept.count_again(organization, now=database_now())
    if later is not None:
        count_calendar.apply_async((organization_id,), countdown=later.total_seconds(), retry=False)


@shared_task(ignore_result=True)
def recount_waiting_follow_ups(**_future: Any) -> None:
    """Correct the conversations' counts of what waits. Beat starts this once a night."""
    corrected = lifecycle.recount()
    if corrected:
        logger.warning("waiting_follow_ups_recounted", conversations=corrected)
