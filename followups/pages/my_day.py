"""My day, above the list of conversations: which follow-ups of a member go out today, and who has answered.

Theirs are those that they are in charge of: scheduled by them and nobody else's, or handed over to them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, F, QuerySet, Value
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.pages.above_list import parts
from conversations.pages.listing import Filters
from followups.models import FollowUp, FollowUpQuerySet, Status
from trochai import changes
from trochai.accounts.models import Membership, Organization
from trochai.paging import BADGE_CAP, Count
from trochai.prepared import Prepared

# How many of each are listed.
MOST = 10
# How long ago a follow-up may have been scheduled for, and of how many an answer is looked for: the newest.
WEEK = dt.timedelta(days=7)
LOOKED_AT = 500


@dataclass(frozen=True)
class Line:
    """One that goes out, or was answered, ``at`` a moment: words alone, to be kept."""

    conversation_id: int
    name: str
    template: str
    at: dt.datetime


@dataclass(frozen=True)
class Part:
    """The first few of those that go out, or of those that were answered, and how many there are."""

    lines: list[Line]
    count: Count

    @property
    def more(self) -> str:
        """and 12 more; nothing if all are listed"""
        left = Count(self.count.value - len(self.lines), self.count.is_capped)
        return _("and %(n)s more") % {"n": left} if left else ""


@dataclass(frozen=True)
class MyDay:
    going: Part
    answered: Part

    def __bool__(self) -> bool:
        return bool(self.going.lines or self.answered.lines)

    def __str__(self) -> str:
        """Today: 3 of your follow-ups go out · 2 answered"""
        going, answered = self.going.count, self.answered.count
        if not going:
            text = ngettext(
                "%(n)s contact answered your follow-up",
                "%(n)s contacts answered your follow-ups",
                answered.value,
            )
            return text % {"n": answered}
        text = ngettext(
            "Today: %(n)s of your follow-ups goes out",
            "Today: %(n)s of your follow-ups go out",
            going.value,
        )
        words = [text % {"n": going}]
        if answered:
            words.append(ngettext("%(n)s answered", "%(n)s answered", answered.value) % {"n": answered})
        return " · ".join(words)


def my_day(membership: Membership, now: dt.datetime) -> MyDay:
    """Return what a member should know today, by the organization's clock; false if there is nothing.

    One query, and another one if there is something. Each reads so many rows at most, however many there are.
    """
    found = _FOUND.rows(
        organization=membership.organization_id,
        user=membership.user_id,
        since=now - WEEK,
        until=_tomorrow(now, membership.organization.zone),
    )
    going: dict[int, dt.datetime] = {}
    answers: dict[int, tuple[dt.datetime, int]] = {}
    for pk, conversation, at, is_answer in found:
        if is_answer:
            answers[conversation] = max((at, pk), answers.get(conversation, (at, pk)))
        else:
            going[pk] = at
    soonest = sorted(going, key=lambda pk: (going[pk], pk))[:MOST]
    newest = sorted(answers.values(), reverse=True)[:MOST]
    line_of = _lines([*soonest, *(pk for _at, pk in newest)])
    return MyDay(
        Part([line_of(pk, going[pk]) for pk in soonest], Count.capped(len(going), BADGE_CAP)),
        Part([line_of(pk, at) for at, pk in newest], Count.capped(len(answers), BADGE_CAP)),
    )


def _tomorrow(now: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    today = now.astimezone(zone).date()
    return dt.datetime.combine(today + dt.timedelta(days=1), dt.time.min, tzinfo=zone)


def _both(*, organization: int, user: int, since: dt.datetime, until: dt.datetime) -> QuerySet[FollowUp, Any]:
    """Return what goes out and what was answered: id, conversation, moment, and which of the two it is."""
    first, *others = [
        rows.values_list("pk", "conversation_id", moment, "is_answer")
        for theirs in _in_charge(Organization(pk=organization), user)
        for rows, moment in (
            (_going(theirs, since, until), "next_attempt_at"),
            (_answered(theirs, since), "conversation__last_inbound_at"),
        )
    ]
    return first.union(*others, all=True)


def _in_charge(organization: Organization, user_id: int) -> Iterable[FollowUpQuerySet]:
    """Yield those of a member in two parts, each of which has an index."""
    theirs = FollowUp.objects.for_organization(organization)
    yield theirs.filter(created_by=user_id, owner=None)
    yield theirs.filter(owner=user_id)


def _going(theirs: FollowUpQuerySet, since: dt.datetime, until: dt.datetime) -> QuerySet[FollowUp, Any]:
    """Return those that go out before ``until``; a little older ones too, which were retried or waited."""
    waiting = theirs.unsettled().filter(
        held_reason="", scheduled_for__gte=since, scheduled_for__lt=until, next_attempt_at__lt=until
    )
    first = waiting.order_by("scheduled_for", "pk")[: BADGE_CAP + 1]
    return FollowUp.objects.filter(pk__in=first.values("pk")).annotate(is_answer=_said(is_answer=False))


def _answered(theirs: FollowUpQuerySet, since: dt.datetime) -> QuerySet[FollowUp, Any]:
    """Return those of the newest that were sent after which their contact wrote."""
    sent = theirs.filter(status=Status.SENT, scheduled_for__gte=since).order_by("-scheduled_for", "-pk")
    return FollowUp.objects.filter(
        pk__in=sent[:LOOKED_AT].values("pk"),
        conversation__last_inbound_at__gt=F("sent_at"),
        conversation__erased_at=None,
    ).annotate(is_answer=_said(is_answer=True))


def _said(*, is_answer: bool) -> Value:
    return Value(is_answer, BooleanField())


_FOUND = Prepared(_both)


def _lines(pks: Collection[int]) -> Callable[[int, dt.datetime], Line]:
    """Return what makes the line of one of these and its moment."""
    rows = FollowUp.objects.select_related("conversation__contact", "template").only(
        "conversation__contact__name",
        "conversation__contact__phone",
        "conversation__contact__erased_at",
        "template__name",
    )
    found = rows.in_bulk(pks)

    def line_of(pk: int, at: dt.datetime) -> Line:
        row = found[pk]
        return Line(row.conversation_id, row.conversation.contact.display_name, row.template.name, at)

    return line_of


def line(membership: Membership, query: Filters, now: dt.datetime, told: str) -> str:
    if not membership.can_write:
        return ""
    day = changes.kept(f"my-day-{membership.pk}", told, lambda: my_day(membership, now))
    # In Jinja: plain text to Django, escaped all the same.
    return SafeString(render_to_string("followups/_my_day.html", {"day": day, "query": query})) if day else ""


parts.append(line)
