"""Schedules the rows of a file, each in a transaction of its own: a worker that dies leaves nothing half.

The row says whether it has been scheduled; any number of workers may be at the same file.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from django.db import DatabaseError, transaction

from conversations import starting
from followups import announcements, lifecycle
from followups.imports.models import Import, ImportRow, State, Verdict
from followups.imports.problems import ROW, Flaw, stored
from followups.imports.rows import Reader
from templates_app.parameters import Problem
from trochai.accounts.models import Membership
from trochai.changes import changed

logger = structlog.get_logger(__name__)

CHUNK = 50


def begin(batch: Import, *, consent: bool, now: dt.datetime) -> bool:
    """Have what was checked scheduled; False if that is under way or there is nothing to schedule.

    ``consent``: whoever made the import says that the people who are new here have agreed to be written to.
    """
    checked = Import.objects.filter(pk=batch.pk, state=State.CHECKED)
    consent_at = now if consent else None
    return bool(checked.update(state=State.SCHEDULING, consent_at=consent_at, worked_at=None))


def schedule_some(batch: Import, *, now: dt.datetime) -> None:
    """Schedule the next rows; when none is left, the import is done, and whoever made it is told."""
    ready = batch.rows.filter(verdict=Verdict.READY)
    ids = list(ready.order_by("number").values_list("pk", flat=True)[:CHUNK])
    by = _scheduler(batch)
    if not ids:
        _finish(batch, now=now)
    elif by is None or batch.channel is None:
        ready.update(**_refused([Problem(ROW, Flaw.NOT_A_WRITER)]))
    else:
        reader = Reader(batch, batch.channel, now=now)
        for pk in ids:
            _schedule(pk, reader, by=by, now=now)
        changed([batch.organization_id])


def _schedule(pk: int, reader: Reader, *, by: Membership, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            row = _next(pk)
            if row is not None:
                _schedule_row(row, reader, by=by, now=now)
    except lifecycle.ScheduleRefused as refused:
        _refuse(pk, list(refused.problems))
    except DatabaseError:
        raise
    except Exception:
        # One row that breaks must not keep the others back for ever.
        logger.exception("import_row_not_scheduled", row=pk)
        _refuse(pk, [Problem(ROW, Flaw.BROKEN)])


def _next(pk: int) -> ImportRow | None:
    """Return the row, locked; None where another worker has it, or had."""
    rows = ImportRow.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.filter(pk=pk, verdict=Verdict.READY).first()


def _schedule_row(row: ImportRow, reader: Reader, *, by: Membership, now: dt.datetime) -> None:
    """Schedule it and say so in one transaction. Raises ``ScheduleRefused``, which undoes a new contact."""
    asked = reader.read(row.cells)
    submission = asked.submission(reader.organization)
    if submission is None or submission != row.submission:
        # The organization's time zone or country, or a template's name, is another than when it was checked.
        raise lifecycle.ScheduleRefused([Problem(ROW, Flaw.CHANGED)])
    talk = starting.start(
        reader.channel, asked.phone, name=asked.name, agreed_with=by.user if row.is_new else None, now=now
    )
    talk.channel, talk.organization = reader.channel, reader.organization
    follow_up = lifecycle.schedule(asked.wanted(talk), submission=submission, by=by, now=now)
    if follow_up.created_at == now:
        row.verdict = Verdict.SCHEDULED
    else:
        row.verdict, row.problems = Verdict.DUPLICATE, [stored(Problem(ROW, Flaw.IMPORTED))]
    row.save(update_fields=["verdict", "problems"])


def _refuse(pk: int, problems: list[Problem]) -> None:
    ImportRow.objects.filter(pk=pk, verdict=Verdict.READY).update(**_refused(problems))


def _refused(problems: list[Problem]) -> dict[str, Any]:
    return {"verdict": Verdict.REFUSED, "problems": [stored(problem) for problem in problems]}


def _scheduler(batch: Import) -> Membership | None:
    """Return the membership of whoever made the import, if it may still schedule."""
    theirs = Membership.objects.active().filter(organization=batch.organization, user=batch.created_by)
    membership = theirs.select_related("organization", "user").first()
    return membership if membership is not None and membership.can_write else None


def _finish(batch: Import, *, now: dt.datetime) -> None:
    with transaction.atomic():
        if Import.objects.filter(pk=batch.pk, state=State.SCHEDULING).update(state=State.DONE, done_at=now):
            announcements.announce_imported(batch, batch.counts(), now=now)
            changed([batch.organization_id])
