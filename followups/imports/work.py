"""What workers do for imports, a little for each in turn, and what is forgotten of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q

from followups.imports import checking, making
from followups.imports.models import Import, ImportRow, State, Verdict
from trochai.whatsapp import phone_numbers

if TYPE_CHECKING:
    from conversations.models import Contact

KEPT = dt.timedelta(days=30)
# Of which nothing was scheduled.
KEPT_UNFINISHED = dt.timedelta(days=7)


def do_next(*, now: dt.datetime) -> bool:
    """Check or schedule some rows of the import that has waited longest; False if there is nothing to do."""
    with transaction.atomic():
        waiting = Import.objects.in_work().select_for_update(skip_locked=True, of=("self",))
        batch = (
            waiting.select_related("organization", "channel")
            .order_by(F("worked_at").asc(nulls_first=True), "pk")
            .first()
        )
        if batch is None:
            return False
        Import.objects.filter(pk=batch.pk).update(worked_at=now)
        if batch.state == State.CHECKING:
            # Locked meanwhile: other columns may be chosen at any moment.
            checking.check_some(batch, now=now)
            return True
    making.schedule_some(batch, now=now)
    return True


def purge(*, now: dt.datetime) -> None:
    """Delete imports with all their rows: a month after they were done, unfinished ones after a week."""
    unfinished = Q(state__in=[State.UPLOADED, State.CHECKED], created_at__lte=now - KEPT_UNFINISHED)
    Import.objects.filter(unfinished | Q(state=State.DONE, done_at__lte=now - KEPT)).delete()


def forget(contact: Contact) -> None:
    """Remove what files say of somebody who is erased: what was scheduled stays counted, the rest goes.

    Works in the caller's transaction. A file whose rows have not been read yet is looked through.
    """
    if not contact.phone:
        return
    theirs = ImportRow.objects.filter(batch__organization=contact.organization_id)
    found = theirs.filter(phone=phone_numbers.canonical(contact.phone))
    found.filter(verdict=Verdict.READY).delete()
    found.update(cells=[], problems=[], phone="")
    unread = theirs.filter(phone="").exclude(cells=[])
    # Written in any way, also as it is dialed within the country: its last seven digits.
    ending = phone_numbers.digits(contact.phone)[-7:]
    rows = unread.values_list("pk", "cells").iterator()
    ids = [pk for pk, cells in rows if any(ending in phone_numbers.digits(cell) for cell in cells)]
    theirs.filter(pk__in=ids).delete()
