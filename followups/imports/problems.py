"""What keeps a row from being scheduled: stored as codes and values, worded when it is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext_lazy as _

from conversations.pages.start_form import NO_NUMBER, OWN_NUMBER, wrong_length
from followups.imports.moments import Unclear
from followups.pages import schedule_words
from followups.wanted import Code, Field
from templates_app import forms as value_words
from templates_app.parameters import Problem, Refusal
from trochai.whatsapp.phone_numbers import WrongLength

if TYPE_CHECKING:
    from trochai.accounts.models import Organization

# Values that are moments: JSON has none.
_MOMENTS = frozenset({"at", "now", "next"})
# What a problem is about, apart from followups.wanted.Field.
ROW, TIME = "row", "time"


class Flaw(StrEnum):
    """What is wrong with a row of an import, beside what any follow-up can have. Stored: never renamed."""

    NO_NUMBER = "no_number"
    WRONG_LENGTH = "wrong_length"
    OWN_NUMBER = "own_number"
    UNKNOWN_TEMPLATE = "unknown_template"
    WHICH_LANGUAGE = "which_language"
    SKIPPED_TIME = "skipped_time"
    FAR_AWAY = "far_away"
    MORE_CELLS = "more_cells"
    SAME_ROW = "same_row"
    IMPORTED = "imported"
    SCHEDULED = "already_scheduled"
    CHANGED = "changed_since"
    NOT_A_WRITER = "not_a_writer"
    BROKEN = "broken"


WORDS = {
    Flaw.NO_NUMBER: NO_NUMBER,
    Flaw.OWN_NUMBER: OWN_NUMBER,
    Flaw.UNKNOWN_TEMPLATE: _("No approved template has this name. Sync the templates, or correct it."),
    Flaw.WHICH_LANGUAGE: _("The template has several languages. Name one in a column of its own."),
    Flaw.FAR_AWAY: _("Choose a date that is nearer to today."),
    Flaw.SKIPPED_TIME: _("The clocks go forward that day, so this time doesn’t exist. The next is %(next)s."),
    Flaw.MORE_CELLS: _("The row has more cells than there are headings. Is a value with commas in quotes?"),
    Flaw.SAME_ROW: _("Same as row %(row)d: only the first is scheduled."),
    Flaw.IMPORTED: _(
        "Already imported. What was imported is not scheduled again, also where it was canceled."
    ),
    Flaw.SCHEDULED: _("The same is already scheduled for this contact."),
    Flaw.CHANGED: _("It would mean something else by now. Import the file again."),
    Flaw.NOT_A_WRITER: _("Whoever imported it may no longer schedule."),
    Flaw.BROKEN: _("It could not be scheduled. Schedule it by hand, and tell whoever operates Trochai."),
    Unclear.NOT_A_DATE: _("That’s no date. Write it like 2026-12-01 or 1 dic."),
    Unclear.NOT_A_TIME: _("That’s no time. Write it like 9:00 or 2:30 pm."),
}
DUPLICATES = frozenset({Flaw.SAME_ROW, Flaw.IMPORTED, Flaw.SCHEDULED})


def stored(problem: Problem) -> dict[str, Any]:
    values = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in problem.values.items()
    }
    return {"field": str(problem.field), "code": str(problem.code), "values": values}


def words(problem: Mapping[str, Any], organization: Organization) -> str:
    """Return a stored problem as a sentence, in the organization's time zone."""
    code = problem["code"]
    values: dict[str, Any] = {
        name: dt.datetime.fromisoformat(value) if name in _MOMENTS else value
        for name, value in problem["values"].items()
    }
    if code == Flaw.WRONG_LENGTH:
        return wrong_length(WrongLength(values["country"], values["digits"], values["lengths"]))
    if code == Flaw.SKIPPED_TIME:
        values["next"] = date_format(values["next"].astimezone(organization.zone), "D j M, g:i A")
    if code in WORDS:
        return str(WORDS[code]) % values
    if problem["field"].startswith(f"{Field.PARAMETERS}."):
        return value_words.words(Problem(problem["field"], Refusal(code), values))
    return schedule_words.words(Problem(problem["field"], Code(code), values), organization)
