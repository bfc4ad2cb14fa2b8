"""A follow-up that somebody wants, and all that stands against it (pure; ``now`` is given).

The dialog shows the problems beside its fields, and ``lifecycle.schedule`` refuses on them: whoever
schedules in another way meets the same rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings

from followups.repeating import MOST_YEARS, Repeat, Rule, Underway, is_beyond, kinds_for, most_times
from followups.scheduling import OutsideWindow, check_window, quick_options
from templates_app.parameters import Problem

if TYPE_CHECKING:
    from conversations.models import Conversation
    from templates_app.models import Template
    from trochai.accounts.models import Organization

CUSTOM = "custom"
# The moment that it has already: what is decided about a row that waits may change around it.
KEEP = "keep"
NOTE_LENGTH = 500  # characters, as in FollowUp.note


class Field(StrEnum):
    """What a problem is about. One of a value's is about ``parameters.`` and the value's key."""

    CONTACT = "contact"
    TEMPLATE = "template"
    PARAMETERS = "parameters"
    MOMENT = "scheduled_for"
    NOTE = "note"
    REPEAT = "repeat"


class Code(StrEnum):
    """What is wrong, apart from the values (``templates_app.parameters.Refusal``)."""

    OPTED_OUT = "opted_out"
    IN_DOUBT = "in_doubt"
    UNREACHABLE = "unreachable"
    TOO_MANY = "too_many"
    NO_TEMPLATE = "no_template"
    NOT_SENDABLE = "not_sendable"
    NO_MOMENT = "no_moment"
    UNKNOWN_CHOICE = "unknown_choice"
    OPTION_MOVED = "option_moved"
    OUTSIDE_WINDOW = "outside_window"
    NOTE_TOO_LONG = "note_too_long"
    CANNOT_REPEAT = "cannot_repeat"
    REPEATED_ONCE = "repeated_once"
    REPEATED_NO_MORE = "repeated_no_more"
    REPEATED_TOO_LONG = "repeated_too_long"


@dataclass(frozen=True)
class Wanted:
    """What ``lifecycle.schedule`` is asked for. ``template`` and ``scheduled_for`` are None until chosen.

    ``choice`` is the key of the quick option that ``scheduled_for`` stands for, ``CUSTOM``, or for a row that
    waits ``KEEP`` with the moment that it has, ``kept``. ``underway``: how that one is repeated already.
    """

    conversation: Conversation
    template: Template | None
    parameters: Mapping[str, Any]
    choice: str
    scheduled_for: dt.datetime | None
    note: str = ""
    cancel_on_reply: bool = False
    kept: dt.datetime | None = None
    repeat: Repeat | None = None
    underway: Underway | None = None

    @property
    def rule(self) -> Rule | None:
        """By which it is repeated from then on, if it is."""
        if self.repeat is None or self.scheduled_for is None:
            return None
        zone = self.conversation.organization.zone
        if self.underway is None:
            return self.repeat.rule(self.scheduled_for, zone)
        to = None if self.scheduled_for == self.kept else self.scheduled_for
        return self.repeat.rule_after(self.underway, zone, to=to)


def problems_with(wanted: Wanted, *, now: dt.datetime, waiting: int = 0) -> list[Problem]:
    """Return all that stands against scheduling it now; nothing if it may be scheduled.

    ``waiting``: how many follow-ups the contact is going to get already.
    """
    contact, limit = wanted.conversation.contact, settings.FOLLOWUPS_MAX_WAITING
    problems = []
    if contact.is_opted_out:
        problems.append(Problem(Field.CONTACT, Code.OPTED_OUT, {"contact": contact.display_name}))
    elif contact.is_in_doubt:
        problems.append(Problem(Field.CONTACT, Code.IN_DOUBT, {"contact": contact.display_name}))
    elif not contact.can_be_written_to(wanted.conversation.channel):
        problems.append(Problem(Field.CONTACT, Code.UNREACHABLE, {"contact": contact.display_name}))
    if waiting >= limit:
        values = {"contact": contact.display_name, "limit": limit}
        problems.append(Problem(Field.CONTACT, Code.TOO_MANY, values))
    problems += _problems_with_template(wanted)
    organization = wanted.conversation.organization
    problems += problems_with_moment(
        wanted.choice, wanted.scheduled_for, organization, now=now, kept=wanted.kept
    )
    length = len(wanted.note)
    if length > NOTE_LENGTH:
        values = {"length": length, "limit": NOTE_LENGTH}
        problems.append(Problem(Field.NOTE, Code.NOTE_TOO_LONG, values))
    if wanted.rule is not None and wanted.scheduled_for is not None:
        at = wanted.scheduled_for
        problems += problems_with_rule(wanted.rule, at, organization, underway=wanted.underway)
    return problems


def problems_with_moment(
    choice: str,
    at: dt.datetime | None,
    organization: Organization,
    *,
    now: dt.datetime,
    kept: dt.datetime | None = None,
) -> Iterator[Problem]:
    """Yield what is wrong with a moment.

    A quick option means exactly its own moment, as counted from ``now``; a custom one must lie in the
    organization's window. The options are the only exception to the window's lower bound; ``kept`` has been
    chosen before, and stays.
    """
    options = {option.key: option.at for option in quick_options(now, organization.zone)}
    if not choice or at is None:
        yield Problem(Field.MOMENT, Code.NO_MOMENT)
    elif choice == KEEP and at == kept:
        return
    elif choice == CUSTOM:
        try:
            check_window(at, now, organization)
        except OutsideWindow:
            yield Problem(Field.MOMENT, Code.OUTSIDE_WINDOW, {"at": at, "now": now})
    elif choice not in options:
        yield Problem(Field.MOMENT, Code.UNKNOWN_CHOICE)
    elif at != options[choice]:
        yield Problem(Field.MOMENT, Code.OPTION_MOVED, {"option": choice, "at": options[choice]})


def is_offered(template: Template, conversation: Conversation) -> bool:
    """Whether it can be sent there, and later."""
    return template.can_be_sent_on(conversation.channel) and not template.is_for_now


def problems_with_rule(
    rule: Rule, at: dt.datetime, organization: Organization, *, underway: Underway | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with how what goes out at that moment is repeated.

    A step that was chosen before may stay although the window is another by now.
    """
    zone = organization.zone
    number, before = (1, None) if underway is None else (underway.number, underway.rule.kind)
    fitting = {before, *kinds_for(rule.first_on, min_days=organization.min_days)}
    if rule.kind not in fitting:
        yield Problem(Field.REPEAT, Code.CANNOT_REPEAT)
    elif len(list(islice(rule.occurrences(zone, after=number - 1), 2))) < 2:
        code = Code.REPEATED_ONCE if underway is None else Code.REPEATED_NO_MORE
        yield Problem(Field.REPEAT, code)
    elif (rule.count or 0) > most_times(number) or is_beyond(rule.until, at.astimezone(zone).date()):
        values = {"times": most_times(number), "years": MOST_YEARS}
        yield Problem(Field.REPEAT, Code.REPEATED_TOO_LONG, values)


def _problems_with_template(wanted: Wanted) -> Iterator[Problem]:
    if wanted.template is None:
        yield Problem(Field.TEMPLATE, Code.NO_TEMPLATE)
    elif not is_offered(wanted.template, wanted.conversation):
        yield Problem(Field.TEMPLATE, Code.NOT_SENDABLE)
    else:
        by = wanted.scheduled_for
        for problem in wanted.template.problems_with(wanted.parameters, until=by):
            yield replace(problem, field=f"{Field.PARAMETERS}.{problem.field}")
