"""What the pages of an import show: its rows with what is wrong beside each cell, its numbers, its report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from conversations.models import Contact
from followups import export
from followups.imports import problems
from followups.imports.columns import VALUE, column_of
from followups.imports.models import Import, ImportRow, Verdict
from followups.imports.people import People
from followups.imports.rows import Reader, offered
from followups.pages.import_forms import LABELS, parameters_of
from followups.pages.quiet import quiet_notice
from followups.wanted import Code, Field
from trochai import paging
from trochai.paging import Order

PAGE_SIZE = 50
# The file's own order.
ORDER = Order({"number": int})
# How many rows of one cause are named.
NAMED = 3
EXAMPLE = (
    ("Phone", "Date", "Time", "Name", "Value 1", "Value 2", "Value 3", "Note"),
    ("+506 8712 4490", "{day}", "9:00", "José Pablo Vargas", "José Pablo", "Casa EC-204", "sábado 5", ""),
    ("+34 600 55 01 34", "{day}", "14:30", "Lucía Prado", "Lucía", "Lote Grecia", "jueves 7", "Feria"),
)


def example(day: dt.date) -> list[list[str]]:
    return [[cell.format(day=day.isoformat()) for cell in line] for line in EXAMPLE]


class Shown(StrEnum):
    """Which rows the Check page lists."""

    LOOK = "look"
    REFUSED = "refused"
    DUPLICATES = "duplicates"
    READY = "ready"
    QUIET = "quiet"
    ALL = "all"

    @property
    def label(self) -> str:
        return str(_SHOWN[self][0])

    @property
    def verdicts(self) -> Sequence[Verdict]:
        return _SHOWN[self][1]


_SHOWN: Mapping[Shown, tuple[Promise, Sequence[Verdict]]] = {
    Shown.LOOK: (gettext_lazy("Needs a look"), [Verdict.REFUSED, Verdict.DUPLICATE]),
    Shown.REFUSED: (gettext_lazy("Refused"), [Verdict.REFUSED]),
    Shown.DUPLICATES: (gettext_lazy("Duplicates"), [Verdict.DUPLICATE]),
    Shown.READY: (gettext_lazy("Will be scheduled"), [Verdict.READY]),
    Shown.QUIET: (gettext_lazy("In quiet hours"), [Verdict.READY]),
    Shown.ALL: (gettext_lazy("All"), list(Verdict)),
}


@dataclass(frozen=True)
class Cell:
    """``problem`` says what is wrong with it; ``tone`` is its CSS class."""

    text: str
    problem: str = ""
    tone: str = ""


class CheckedRows:
    """Some of an import's rows, as the query string asks for."""

    def __init__(self, batch: Import, query: Mapping[str, str], *, now: dt.datetime) -> None:
        self.batch, self.counts, self._now = batch, batch.counts(), now
        wanted = query.get("rows", "")
        look = self.count_of(Shown.LOOK)
        self.shown = Shown(wanted) if wanted in list(Shown) else Shown.LOOK if look else Shown.ALL
        rows: QuerySet[ImportRow] = batch.rows.filter(verdict__in=self.shown.verdicts)
        if self.shown == Shown.QUIET:
            rows = rows.filter(is_quiet=True)
        after, before = (ORDER.parse(query.get(name, "")) for name in ("after", "before"))
        self.page = paging.page_of(rows, ORDER, size=PAGE_SIZE, after=after, before=before)

    def count_of(self, shown: Shown) -> int:
        if shown == Shown.QUIET:
            return self.quiet
        return sum(self.counts[verdict] for verdict in shown.verdicts)

    @cached_property
    def quiet(self) -> int:
        return self.batch.quiet

    @property
    def query(self) -> str:
        return f"rows={self.shown}&"

    @property
    def tabs(self) -> list[tuple[Shown, int]]:
        """Each with its number; what is quiet only where there is any."""
        return [(shown, self.count_of(shown)) for shown in Shown if shown != Shown.QUIET or self.quiet]

    @cached_property
    def new_contacts(self) -> int:
        return self.batch.new_contacts

    @property
    def headings(self) -> list[str]:
        """What the columns become; those that are left out are not shown."""
        channel = self.batch.channel
        templates = [self.batch.template] if self.batch.template else offered(channel) if channel else []
        labels = {VALUE + each.key: each.label for each in parameters_of(templates)}
        names = {**LABELS, **labels}
        return [str(names.get(self.batch.columns[column], "")) for column in self._columns]

    @property
    def lines(self) -> list[tuple[int, list[Cell]]]:
        return [(row.number, self._cells(row)) for row in self.page.rows]

    @cached_property
    def _columns(self) -> list[int]:
        return [number for number, role in enumerate(self.batch.columns) if role]

    @cached_property
    def _quiet(self) -> dict[int, str]:
        """What is quiet where those are who get something, by row id: said, and no reason to refuse them."""
        quiet = [row for row in self.page.rows if row.is_quiet]
        if not quiet or self.batch.channel is None:
            return {}
        reader = Reader(self.batch, self.batch.channel, now=self._now)
        asked = {row.pk: reader.read(row.cells) for row in quiet}
        organization, phones = self.batch.organization, {each.phone for each in asked.values()}
        people = People(organization, phones)
        notices = {
            pk: quiet_notice(
                each.at,
                people.of(each.phone) or Contact(organization=organization, phone=each.phone),
                organization,
                self._now,
            )
            for pk, each in asked.items()
            if each.at is not None
        }
        return {pk: str(notice) for pk, notice in notices.items() if notice is not None}

    def _cells(self, row: ImportRow) -> list[Cell]:
        organization = self.batch.organization
        said: dict[int, list[str]] = {}
        if row.pk in self._quiet:
            said[column_of(Field.MOMENT, self.batch.columns)] = [self._quiet[row.pk]]
        for problem in row.problems:
            column = column_of(problem["field"], self.batch.columns)
            said.setdefault(column, []).append(problems.words(problem, organization))
        tone = "wrong" if row.verdict == Verdict.REFUSED else "doubt"
        return [
            Cell(
                row.cells[column] if column < len(row.cells) else "",
                " ".join(said.get(column, ())),
                tone if column in said else "",
            )
            for column in self._columns
        ]


class Cause(StrEnum):
    """Why rows were refused, in few words; ``icon`` stands beside it."""

    NUMBER = "phone-off"
    PERSON = "user-round-x"
    TEMPLATE = "layout-template"
    VALUE = "braces"
    MOMENT = "calendar-x"
    OTHER = "circle-alert"

    @property
    def icon(self) -> str:
        return self.value

    @property
    def label(self) -> str:
        return str(_CAUSES[self])


_CAUSES: Mapping[Cause, Promise] = {
    Cause.NUMBER: gettext_lazy("The number can’t be used"),
    Cause.PERSON: gettext_lazy("The person can’t be written to"),
    Cause.TEMPLATE: gettext_lazy("The template can’t be scheduled"),
    Cause.VALUE: gettext_lazy("A value is missing, or can’t be sent"),
    Cause.MOMENT: gettext_lazy("The date or time can’t be used"),
    Cause.OTHER: gettext_lazy("Something else"),
}
_PERSONAL = frozenset({Code.OPTED_OUT, Code.IN_DOUBT, Code.UNREACHABLE, Code.TOO_MANY})


def cause_of(problem: Mapping[str, Any]) -> Cause:
    field = problem["field"]
    if field == Field.CONTACT:
        return Cause.PERSON if problem["code"] in _PERSONAL else Cause.NUMBER
    if field.startswith(Field.PARAMETERS):
        return Cause.VALUE
    causes = {Field.TEMPLATE: Cause.TEMPLATE, Field.MOMENT: Cause.MOMENT, problems.TIME: Cause.MOMENT}
    return causes.get(field, Cause.OTHER)


@dataclass
class Group:
    cause: Cause
    numbers: list[int]

    @property
    def rows(self) -> str:
        """Row 18, or rows 18, 77, 203 and 4 more"""
        named = ", ".join(f"{number:,}" for number in self.numbers[:NAMED])
        if (more := len(self.numbers) - NAMED) > 0:
            return _("Rows %(named)s and %(more)s more") % {"named": named, "more": f"{more:,}"}
        words = ngettext("Row %(named)s", "Rows %(named)s", len(self.numbers))
        return words % {"named": named}


class Result:
    """What has become of an import's rows so far."""

    def __init__(self, batch: Import) -> None:
        self.batch, self.counts = batch, batch.counts()

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def to_do(self) -> int:
        return self.counts[Verdict.READY]

    @property
    def planned(self) -> int:
        return self.to_do + self.counts[Verdict.SCHEDULED]

    @property
    def left_out(self) -> int:
        return self.counts[Verdict.REFUSED] + self.counts[Verdict.DUPLICATE]

    @cached_property
    def groups(self) -> list[Group]:
        """The refused rows by why, the largest first."""
        found: dict[Cause, Group] = {}
        refused = self.batch.rows.filter(verdict=Verdict.REFUSED).order_by("number")
        for number, said in refused.values_list("number", "problems").iterator():
            cause = cause_of(said[0]) if said else Cause.OTHER
            found.setdefault(cause, Group(cause, [])).numbers.append(number)
        return sorted(found.values(), key=lambda group: -len(group.numbers))


def report_of(batch: Import) -> Iterator[str]:
    """Return the rows that were left out as a CSV file like the one that came, and why."""
    left_out = batch.rows.filter(verdict__in=Shown.LOOK.verdicts)
    organization = batch.organization

    def line(row: ImportRow) -> list[str]:
        said = " ".join(problems.words(problem, organization) for problem in row.problems)
        return [*row.cells[: len(batch.headings)], said] if row.cells else []

    yield export.BOM + export.written([[*batch.headings, _("Problem")]])
    for chunk in paging.chunks_of(left_out, ORDER, size=export.CHUNK, joined=lambda rows: rows):
        yield export.written(filter(None, map(line, chunk)))


def steps(current: str) -> list[tuple[int, str, str]]:
    """Return each step's number, name and state: done, current, or neither."""
    names = {"file": _("File"), "columns": _("Columns"), "check": _("Check"), "result": _("Result")}
    place = list(names).index(current)
    states = ["done"] * place + ["current"] + [""] * (len(names) - place - 1)
    return [(n, name, state) for n, (name, state) in enumerate(zip(names.values(), states, strict=True), 1)]
