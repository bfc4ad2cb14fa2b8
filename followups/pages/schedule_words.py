"""What stands against a wanted follow-up, in words for people."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext_lazy as _

from conversations.pages.template_form import NO_TEMPLATE, NOT_SENDABLE
from followups.calendar.crowded import crowded_day
from followups.scheduling import QUICK_OPTIONS, OutsideWindow
from followups.wanted import Code
from followups.wording import calendar
from templates_app.parameters import Problem

if TYPE_CHECKING:
    from conversations.models import Conversation
    from trochai.accounts.models import Organization

WORDS = {
    Code.OPTED_OUT: _("%(contact)s doesn’t want messages any more, so nothing can be scheduled."),
    Code.IN_DOUBT: _(
        "%(contact)s may have another number now, as WhatsApp says. An admin can correct it, or an operator"
        " merge the two contacts."
    ),
    Code.UNREACHABLE: _("%(contact)s has no number that WhatsApp can write to. An admin can correct it."),
    Code.TOO_MANY: _(
        "%(limit)d follow-ups are waiting for %(contact)s, which is the most. Cancel one to schedule another."
    ),
    Code.NO_TEMPLATE: NO_TEMPLATE,
    Code.NOT_SENDABLE: NOT_SENDABLE,
    Code.NO_MOMENT: _("Choose when to send it."),
    Code.UNKNOWN_CHOICE: _("Choose one of the times below, or a custom date."),
    Code.OPTION_MOVED: _("“%(option)s” now means %(day)s. Check the date, then schedule again."),
    Code.CANNOT_REPEAT: _("It can’t be repeated like that from this date on. Choose one of these."),
    Code.REPEATED_ONCE: _("It would end before its second date. Let it end later, or don’t repeat it."),
    Code.REPEATED_NO_MORE: _("No more would come after this one. Let it end later, or untick Repeat."),
    Code.REPEATED_TOO_LONG: _("Let it end after %(times)d times or %(years)d years at the latest."),
    Code.NOTE_TOO_LONG: _("Shorten the note to %(limit)d characters: it has %(length)d."),
}
LABELS = {option.key: option.label for option in QUICK_OPTIONS}


def warnings_for(conversation: Conversation, at: dt.datetime | None) -> list[str]:
    """Return what does not stand against this moment, and should be known before it is chosen."""
    if at is None:
        return []
    found = crowded_day(conversation.channel, at, conversation.organization.zone)
    return [calendar.crowded(found)] if found else []


def words(problem: Problem, organization: Organization) -> str:
    """Return a sentence that says what is wrong, in the organization's time zone."""
    values = problem.values
    match problem.code:
        case Code.OUTSIDE_WINDOW:
            return str(OutsideWindow(values["at"], values["now"], organization))
        case Code.OPTION_MOVED:
            day = date_format(values["at"].astimezone(organization.zone), "D j M")
            values = {"option": LABELS.get(values["option"], values["option"]), "day": day}
    return str(WORDS[Code(problem.code)]) % values
