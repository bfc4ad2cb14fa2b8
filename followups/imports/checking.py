"""What would become of each row of a file if it were scheduled now: hundreds at a time, by a few queries.

The rules are those of the dialog (``followups.wanted``). Where a row stands decides nothing but which of two
alike is the first.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection
from typing import Any

from django.db.models import Min

from conversations.models import Contact, Conversation
from followups.imports.models import Import, ImportRow, State, Verdict
from followups.imports.people import People
from followups.imports.problems import DUPLICATES, ROW, Flaw, stored
from followups.imports.rows import Asked, Reader
from followups.models import FollowUp
from followups.scheduling import quiet_at
from followups.wanted import Field, Wanted, problems_with
from templates_app.parameters import Problem
from trochai.whatsapp.models import Channel

CHUNK = 500
# Stands for a number that could not be read, while the rest of its row is looked at.
NOBODY = "+15550000000"


def begin(batch: Import, **chosen: Any) -> bool:
    """Have the rows checked by what was chosen for their columns; False once they are being scheduled.

    Works in the caller's transaction.
    """
    open_states = [State.UPLOADED, State.CHECKING, State.CHECKED]
    begun = Import.objects.filter(pk=batch.pk, state__in=open_states)
    if not begun.update(state=State.CHECKING, worked_at=None, **chosen):
        return False
    batch.rows.exclude(verdict=Verdict.UNCHECKED).update(
        verdict=Verdict.UNCHECKED, problems=[], phone="", is_new=False, is_quiet=False, submission=None
    )
    return True


def check_some(batch: Import, *, now: dt.datetime) -> None:
    """Check the next rows of an import that the caller has locked; without any it is checked."""
    # Locked: what is removed of an erased contact meanwhile must not be written again.
    unchecked = batch.rows.filter(verdict=Verdict.UNCHECKED).select_for_update(of=("self",))
    rows = list(unchecked.order_by("number")[:CHUNK])
    if not rows or batch.channel is None:
        Import.objects.filter(pk=batch.pk).update(state=State.CHECKED)
        return
    reader = Reader(batch, batch.channel, now=now)
    asked = [reader.read(row.cells) for row in rows]
    known = Known(batch, batch.channel, asked, before=rows[0].number)
    for row, each in zip(rows, asked, strict=True):
        row.phone, row.submission = each.canonical_phone, each.submission(batch.organization)
        row.is_new = bool(each.phone) and known.contact(each.phone) is None
        problems = known.problems_with(each, row.submission, now=now)
        row.problems = [stored(problem) for problem in problems]
        row.verdict = _verdict(problems)
        row.is_quiet = row.verdict == Verdict.READY and known.is_quiet(each)
        known.add(row)
    fields = ["phone", "submission", "is_new", "is_quiet", "problems", "verdict"]
    # As one statement that inserts: bulk_update compares each row with all others.
    ImportRow.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def check_all(batch: Import, *, now: dt.datetime) -> None:
    """Check a small file at once, in the caller's transaction."""
    locked = Import.objects.select_related("organization", "channel").select_for_update(of=("self",))
    while (batch := locked.get(pk=batch.pk)).state == State.CHECKING:
        check_some(batch, now=now)


def _verdict(problems: Collection[Problem]) -> Verdict:
    if not problems:
        return Verdict.READY
    return Verdict.DUPLICATE if all(each.code in DUPLICATES for each in problems) else Verdict.REFUSED


class Known:
    """What is known here of the people and the messages that some rows ask for."""

    def __init__(self, batch: Import, channel: Channel, asked: Collection[Asked], *, before: int) -> None:
        self._organization, self._channel = batch.organization, channel
        self._people = People(batch.organization, {each.phone for each in asked if each.phone})
        talks = Conversation.objects.current().filter(channel=channel, contact__in=self._people.all)
        self._talks = {talk.contact_id: talk for talk in talks}
        self._ahead: Counter[str] = Counter()
        self._scheduled = self._read_scheduled()
        ids = (each.submission(batch.organization) for each in asked)
        submissions = {each for each in ids if each is not None}
        made = FollowUp.objects.filter(organization=batch.organization, submission__in=submissions)
        self._made = set(made.values_list("submission", flat=True))
        earlier = batch.rows.filter(submission__in=submissions, number__lt=before)
        first = earlier.order_by().values_list("submission").annotate(Min("number"))
        self._first: dict[uuid.UUID, int] = dict(first)
        ready = batch.rows.filter(phone__in={each.canonical_phone for each in asked}, verdict=Verdict.READY)
        self._ahead.update(ready.exclude(phone="").values_list("phone", flat=True))

    def contact(self, phone: str) -> Contact | None:
        return self._people.of(phone)

    def is_quiet(self, asked: Asked) -> bool:
        """Whether its moment is quiet where whoever would get it is."""
        contact = self._recipient(asked)
        return asked.at is not None and quiet_at(asked.at, contact, self._organization) is not None

    def add(self, row: ImportRow) -> None:
        """Take account of a row that has been checked, for those below it."""
        if row.submission is not None:
            self._first.setdefault(row.submission, row.number)
        if row.verdict == Verdict.READY:
            self._ahead[row.phone] += 1

    def problems_with(self, asked: Asked, submission: uuid.UUID | None, *, now: dt.datetime) -> list[Problem]:
        if submission in self._made:
            return [Problem(ROW, Flaw.IMPORTED)]
        wanted = self._wanted(asked)
        unread = {problem.field for problem in asked.problems}
        # What could not be read has been said.
        if asked.at is None and unread & {Field.MOMENT, "time"}:
            unread.add(Field.MOMENT)
        if not asked.phone:
            unread.add(Field.CONTACT)
        others = problems_with(wanted, now=now, waiting=self._ahead[asked.canonical_phone])
        problems = [*asked.problems, *(each for each in others if each.field not in unread)]
        if problems or submission is None:
            return problems
        if (row := self._first.get(submission)) is not None:
            return [Problem(ROW, Flaw.SAME_ROW, {"row": row})]
        if submission in self._scheduled:
            return [Problem(ROW, Flaw.SCHEDULED)]
        return []

    def _recipient(self, asked: Asked) -> Contact:
        known = self.contact(asked.phone) if asked.phone else None
        return known or Contact(organization=self._organization, phone=asked.phone or NOBODY)

    def _wanted(self, asked: Asked) -> Wanted:
        contact = self._recipient(asked)
        talk = self._talks.get(contact.pk) or Conversation(contact=contact)
        talk.contact, talk.channel, talk.organization = contact, self._channel, self._organization
        return asked.wanted(talk)

    def _read_scheduled(self) -> set[uuid.UUID | None]:
        """Count what waits for each contact; return the ids that an import would give to it."""
        waiting = FollowUp.objects.visible().unsettled().filter(conversation__contact__in=self._people.all)
        found: set[uuid.UUID | None] = set()
        rows = waiting.select_related("conversation__contact").only(
            "template_id", "parameters", "scheduled_for", "conversation__contact__phone"
        )
        for row in rows:
            same = Asked(
                phone=row.conversation.contact.phone,
                template_id=row.template_id,
                parameters=row.parameters,
                at=row.scheduled_for,
            )
            self._ahead[same.canonical_phone] += 1
            found.add(same.submission(self._organization))
        return found
