"""What a bulk change would make of one follow-up, or why it would leave it; and doing it to a chunk of them.

``plan`` is asked by the preview and again by the worker, about the row as it is then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import prefetch_related_objects

from conversations.models import load_ids
from followups import lifecycle
from followups.calendar.crowded import Room
from followups.models import BulkAction, BulkChange, FollowUp
from followups.policies import Action, allowed_actions, role_allows
from followups.scheduling import (
    DAY,
    OutsideWindow,
    SchedulingError,
    SkippedTime,
    check_window,
    custom,
    earliest,
    latest,
    next_good_choice,
    quiet_at,
)
from followups.wanted import KEEP, Field, Wanted, problems_with
from followups.wording.bulk import MoveHow, Refusal
from templates_app.forms import key_of_name
from templates_app.models import Template
from templates_app.parameters import ParameterKind
from templates_app.parameters import Refusal as ValueRefusal
from trochai.accounts.models import Membership, User

if TYPE_CHECKING:
    from trochai.accounts.models import Organization


class Refused(Exception):
    """The row stays as it is; ``code`` is a ``wording.bulk.Refusal`` or a ``wanted.Code``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class BulkVerb(Protocol):
    """One kind of change, with what it needs."""

    action: Action

    def wanted(self, row: FollowUp, now: dt.datetime) -> Any:
        """Return what would become of a row in the right state; raises ``Refused``."""

    def apply(self, wanted: Mapping[FollowUp, Any], *, by: User, now: dt.datetime) -> None:
        """Do it to rows that are locked and were planned in the same transaction."""


@dataclass(frozen=True)
class Plan:
    """What becomes of each row: what is wanted, or the code of why not."""

    wanted: Mapping[FollowUp, Any]
    refused: Mapping[FollowUp, str]


def plan(verb: BulkVerb, rows: Sequence[FollowUp], *, by: Membership, now: dt.datetime) -> Plan:
    """Say what would become of each row; ``rows`` as ``prepared``."""
    wanted: dict[FollowUp, Any] = {}
    refused: dict[FollowUp, str] = {}
    for row in rows:
        try:
            _check_state(row, verb.action, by, now)
            wanted[row] = verb.wanted(row, now)
        except Refused as refusal:
            refused[row] = refusal.code
    return Plan(wanted, refused)


def prepared(rows: Sequence[FollowUp], organization: Organization) -> list[FollowUp]:
    """Read what ``plan`` looks at, in a fixed number of queries; what rows share once."""
    prefetch_related_objects(
        rows, "conversation__contact", "conversation__channel", "template", "owner", "created_by", "series"
    )
    load_ids(row.conversation.contact for row in rows)
    for row in rows:
        row.organization = row.conversation.organization = organization
    return list(rows)


def _check_state(row: FollowUp, action: Action, by: Membership, now: dt.datetime) -> None:
    if row.deleted_at is not None:
        raise Refused(Refusal.GONE)
    if not role_allows(by, row, action):
        raise Refused(Refusal.NOT_IN_CHARGE)
    if action not in allowed_actions(by, row, now):
        erased = row.conversation.contact.erased_at is not None
        raise Refused(Refusal.ERASED if erased else Refusal(row.status))


@dataclass(frozen=True)
class _Moving:
    """Each to another moment."""

    organization: Organization
    action = Action.MOVE

    def apply(self, wanted: Mapping[FollowUp, dt.datetime], *, by: User, now: dt.datetime) -> None:
        lifecycle.move_all(wanted, by=by, now=now)


@dataclass(frozen=True)
class Move(_Moving):
    """By days, or to a date; each row keeps its hour in the organization's zone."""

    days: int = 0
    date: dt.date | None = None

    def wanted(self, row: FollowUp, now: dt.datetime) -> dt.datetime:
        local = row.scheduled_for.astimezone(self.organization.zone)
        try:
            date = self.date or local.date() + dt.timedelta(days=self.days)
            at = custom(date, local.time(), self.organization.zone)
            check_window(at, now, self.organization)
        except SkippedTime as error:
            raise Refused(Refusal.SKIPPED_TIME) from error
        except OutsideWindow as error:
            raise Refused(Refusal(error.code)) from error
        except (SchedulingError, OverflowError) as error:
            raise Refused(Refusal.TOO_LATE if self.days > 0 else Refusal.PAST) from error
        if at == row.scheduled_for:
            raise Refused(Refusal.SAME)
        return at


@dataclass(frozen=True)
class MoveToGood(_Moving):
    """What is due in quiet hours, each to the next moment that is good where its contact is."""

    def wanted(self, row: FollowUp, now: dt.datetime) -> dt.datetime:
        contact, due = row.conversation.contact, row.next_attempt_at or row.scheduled_for
        if quiet_at(due, contact, self.organization) is None:
            raise Refused(Refusal.NOT_QUIET)
        good = next_good_choice(due, contact, self.organization, now)
        if good is None:
            raise Refused(Refusal.NEVER_GOOD)
        return good


@dataclass(frozen=True)
class Spread(_Moving):
    """What its day has more than WhatsApp lets through, to the next days with room; each keeps its hour.

    Rows take room from one another, in the order in which they are asked about.
    """

    @cached_property
    def _room(self) -> Room:
        return Room(self.organization)

    def wanted(self, row: FollowUp, now: dt.datetime) -> dt.datetime:
        local = row.scheduled_for.astimezone(self.organization.zone)
        left = self._room.left(row.channel_id, local.date())
        if left is None or left >= 0:
            raise Refused(Refusal.HAS_ROOM)
        first, last = (
            moment.astimezone(self.organization.zone).date()
            for moment in (earliest(now, self.organization), latest(now, self.organization))
        )
        day = max(local.date() + DAY, first)
        while day <= last:
            if (self._room.left(row.channel_id, day) or 0) > 0 and (at := self._on(day, row, now)):
                self._room.move(row.channel_id, before=local.date(), after=day)
                return at
            day += DAY
        raise Refused(Refusal.NO_ROOM)

    def _on(self, day: dt.date, row: FollowUp, now: dt.datetime) -> dt.datetime | None:
        """Return the row's moment on that day, unless it may not be chosen or it would get quiet by it."""
        try:
            at = Move(self.organization, date=day).wanted(row, now)
        except Refused:
            return None
        contact, organization = row.conversation.contact, self.organization
        if quiet_at(at, contact, organization) and not quiet_at(row.scheduled_for, contact, organization):
            return None
        return at


@dataclass(frozen=True)
class Cancel:
    action = Action.CANCEL

    def wanted(self, row: FollowUp, now: dt.datetime) -> None:
        return None

    def apply(self, wanted: Mapping[FollowUp, None], *, by: User, now: dt.datetime) -> None:
        lifecycle.cancel_all(wanted, by=by, now=now)


@dataclass(frozen=True)
class Delete:
    action = Action.DELETE

    def wanted(self, row: FollowUp, now: dt.datetime) -> None:
        return None

    def apply(self, wanted: Mapping[FollowUp, None], *, by: User, now: dt.datetime) -> None:
        lifecycle.delete_all(wanted, by=by, now=now)


@dataclass(frozen=True)
class HandOver:
    to: User
    action = Action.HAND_OVER

    def wanted(self, row: FollowUp, now: dt.datetime) -> User:
        if row.in_charge_id == self.to.pk:
            raise Refused(Refusal.SAME)
        return self.to

    def apply(self, wanted: Mapping[FollowUp, User], *, by: User, now: dt.datetime) -> None:
        lifecycle.hand_over_all(wanted, to=self.to, by=by, now=now)


@dataclass(frozen=True)
class ChangeTemplate:
    """Another template: values are kept by their variables' names, ``values`` has those that are missing."""

    template: Template
    values: Mapping[str, str]
    action = Action.EDIT

    def wanted(self, row: FollowUp, now: dt.datetime) -> Wanted:
        if row.template_id == self.template.pk:
            raise Refused(Refusal.SAME)
        wanted = Wanted(
            conversation=row.conversation,
            template=self.template,
            parameters=self._parameters(row),
            choice=KEEP,
            scheduled_for=row.scheduled_for,
            note=row.note,
            cancel_on_reply=row.cancel_on_reply,
            kept=row.scheduled_for,
        )
        for problem in problems_with(wanted, now=now):
            if not problem.field.startswith(f"{Field.PARAMETERS}."):
                raise Refused(problem.code)
            blank = problem.code == ValueRefusal.BLANK
            raise Refused(Refusal.NO_VALUE if blank else Refusal.WRONG_VALUE)
        return wanted

    def apply(self, wanted: Mapping[FollowUp, Wanted], *, by: User, now: dt.datetime) -> None:
        parameters = {row: each.parameters for row, each in wanted.items()}
        lifecycle.change_template_all(parameters, to=self.template, by=by, now=now)

    def _parameters(self, row: FollowUp) -> dict[str, str]:
        values = kept_values(row, self.template)
        for key, value in self.values.items():
            values.setdefault(key, value)
        if (name_key := key_of_name(self.template)) and not values.get(name_key):
            values[name_key] = row.conversation.contact.first_name
        return {each.key: values.get(each.key, "") for each in self.template.parameters}


def kept_values(row: FollowUp, template: Template) -> dict[str, str]:
    """Return the row's values that have a place in ``template``, by its keys: where the name is the same.

    A number is no name: the same number in another text means another thing.
    """
    named = {
        (each.name, each.kind == ParameterKind.HEADER_MEDIA): row.parameters.get(each.key, "")
        for each in row.template.parameters
        if each.name and not each.name.isdigit()
    }
    found = {
        each.key: named.get((each.name, each.kind == ParameterKind.HEADER_MEDIA))
        for each in template.parameters
    }
    return {key: value for key, value in found.items() if value}


def missing_keys(rows: Collection[FollowUp], template: Template) -> set[str]:
    """Return the keys of the values that some of ``rows`` has not."""
    every = {each.key for each in template.parameters}
    others = [row for row in rows if row.template_id != template.pk]
    return {key for row in others for key in every - kept_values(row, template).keys()}


def verb_of(change: BulkChange) -> BulkVerb:
    """Return what a stored change does; raises ``ObjectDoesNotExist`` if what it needs is gone."""
    values = change.values
    match change.action:
        case BulkAction.MOVE:
            return _move_of(change)
        case BulkAction.HAND_OVER:
            writers = Membership.objects.for_organization(change.organization).writers()
            return HandOver(User.objects.get(pk=values["to"], memberships__in=writers))
        case BulkAction.TEMPLATE:
            templates = Template.objects.for_organization(change.organization).select_related("channel")
            return ChangeTemplate(templates.get(pk=values["template"]), values["values"])
        case BulkAction.DELETE:
            return Delete()
    return Cancel()


def _move_of(change: BulkChange) -> BulkVerb:
    organization, values = change.organization, change.values
    if "date" in values:
        return Move(organization, date=dt.date.fromisoformat(values["date"]))
    if "days" in values:
        return Move(organization, days=values["days"])
    return Spread(organization) if values["how"] == MoveHow.SPREAD else MoveToGood(organization)
