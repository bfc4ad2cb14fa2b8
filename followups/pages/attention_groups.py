"""What needs attention, in groups of one cause and subject; of each cause read up to ``ATTENTION_CAP``."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Count as CountOf
from django.db.models import Min, QuerySet

from followups.models import (
    Attention,
    AttentionCause,
    AttentionQuerySet,
    FollowUp,
    FollowUpQuerySet,
    Status,
    in_charge,
)
from followups.pages.listing import ATTENTION_CAP, PAGE_SIZE, Tab
from trochai import paging
from trochai.accounts.models import Organization
from trochai.paging import Count, Cursor, Page, PreparedPage
from trochai.prepared import Prepared

if TYPE_CHECKING:
    from trochai.accounts.models import Membership

SHOWN = 50
SOONEST_FIRST = Tab.PENDING.order
KEY = re.compile(r"(mine-)?([a-z_]{1,16}):([0-9-]{0,64})")
WORST_FIRST = {cause: rank for rank, cause in enumerate(AttentionCause.values)}


@dataclass(frozen=True)
class GroupKey:
    """One group, of everyone's or of what the member is in charge of."""

    cause: str
    subject: str
    only_mine: bool = False

    def __str__(self) -> str:
        return f"{'mine-' if self.only_mine else ''}{self.cause}:{self.subject}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the key that ``str()`` made ``text`` from, or None for anything else."""
        parts = KEY.fullmatch(text)
        if parts is None or parts[2] not in AttentionCause.values:
            return None
        return cls(parts[2], parts[3], only_mine=parts[1] is not None)

    def attention(self, membership: Membership) -> AttentionQuerySet:
        """Return what still waits for the member in it."""
        theirs = Attention.objects.repairable_by(membership, only_mine=self.only_mine)
        return theirs.filter(cause=self.cause, subject=self.subject)

    def follow_ups(self, membership: Membership) -> FollowUpQuerySet:
        """Return the rows of ``attention``, found in the order in which they are due where they are many."""
        if not membership.can_write:
            return FollowUp.objects.none()
        user = self._user(membership)
        return _waiting(
            organization=membership.organization_id, cause=self.cause, subject=self.subject, user=user
        )

    def page(self, membership: Membership, *, after: Cursor | None) -> Page[FollowUp]:
        """Return those of ``follow_ups`` that are due first ``after`` a cursor, with what their rows show."""
        if membership.can_write and after is None:
            user = self._user(membership)
            given: dict[str, int | str] = {
                "organization": membership.organization_id,
                "cause": self.cause,
                "subject": self.subject,
            }
            if user is None:
                return _FIRST_OF_EVERYONES.of(**given)
            return _FIRST_OF_THEIRS.of(**given, user=user)
        rows = self.follow_ups(membership)
        return paging.page_of(rows, SOONEST_FIRST, size=PAGE_SIZE, after=after, joined=_with_row)

    def found(self, rows: Sequence[FollowUp]) -> dict[int, tuple[int, Mapping[str, Any]]]:
        """Return the id and the values of what would go wrong with each of its ``rows``, by the row's id."""
        known = Attention.objects.filter(
            follow_up__in=[row.pk for row in rows], cause=self.cause, subject=self.subject, kept_at=None
        )
        return {row: (pk, values) for row, pk, values in known.values_list("follow_up_id", "pk", "values")}

    def _user(self, membership: Membership) -> int | None:
        """Return who is in charge of these rows; None where they are everyone's."""
        return None if membership.is_admin and not self.only_mine else membership.user_id


def _waiting(*, organization: int, cause: str, subject: str, user: int | None = None) -> FollowUpQuerySet:
    theirs = Organization(pk=organization)
    found = Attention.objects.open_in(theirs).filter(cause=cause, subject=subject)
    waiting = FollowUp.objects.for_organization(theirs).unsettled().filter(status=Status.PENDING)
    rows = waiting.filter(pk__in=found.values("follow_up"))
    return rows if user is None else rows.filter(in_charge([user]))


def _with_row(rows: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    """Load what a row shows, and what decides about its repairs: no template, and no message yet."""
    return (
        rows.select_related("conversation__contact", "created_by")
        .prefetch_related("owner", "series")
        .only(
            "organization_id",
            "owner_id",
            "series_id",
            "status",
            "held_reason",
            "scheduled_for",
            "conversation__contact__name",
            "conversation__contact__phone",
            "conversation__contact__erased_at",
            "created_by__name",
            "created_by__email",
        )
    )


_FIRST_OF_EVERYONES = PreparedPage(_waiting, SOONEST_FIRST, size=PAGE_SIZE, joined=_with_row)
_FIRST_OF_THEIRS = PreparedPage(_waiting, SOONEST_FIRST, size=PAGE_SIZE, joined=_with_row)


@dataclass(frozen=True)
class Group:
    """How many are in it, when the first is due, and the values of one of them."""

    key: GroupKey
    count: Count
    first_due: dt.datetime
    values: Mapping[str, Any]


def groups_for(membership: Membership, *, only_mine: bool) -> list[Group]:
    """Return the groups, the worst cause first and then the soonest.

    Of everyone's each cause is looked up by itself: of very many only the first are read, which are no
    others' then. A count says where there may be more.
    """
    everyones = membership.is_admin and not only_mine
    most = ATTENTION_CAP if everyones else ATTENTION_CAP * len(AttentionCause)
    found: list[dict[str, Any]] = []
    if everyones:
        found = _everyones(most).rows(organization=membership.organization_id)
    elif membership.can_write:
        found = _theirs(most).rows(organization=membership.organization_id, user=membership.user_id)
    read: Counter[str] = Counter()
    for each in found:
        read[each["cause"] if everyones else ""] += each["number"]
    found.sort(key=lambda each: (WORST_FIRST[each["cause"]], each["first_due"], each["subject"]))
    shown = found[:SHOWN]
    values = dict(
        Attention.objects.filter(pk__in=[each["one"] for each in shown]).values_list("pk", "values")
    )
    return [
        Group(
            GroupKey(each["cause"], each["subject"], only_mine),
            Count(min(each["number"], most), is_capped=read[each["cause"] if everyones else ""] > most),
            each["first_due"],
            values.get(each["one"], {}),
        )
        for each in shown
    ]


@cache
def _everyones(most: int) -> Prepared:
    """Return the query of an organization's groups, in one; of each cause it reads up to ``most`` and one."""

    def counted(*, organization: int) -> QuerySet[Attention, Any]:
        rows = Attention.objects.for_organization(Organization(pk=organization))
        first, *others = [_counted(rows, [cause], most) for cause in AttentionCause.values]
        return first.union(*others, all=True)

    return Prepared(counted)


@cache
def _theirs(most: int) -> Prepared:
    """Return the query of a user's groups, which reads up to ``most`` and one more."""

    def counted(*, organization: int, user: int) -> QuerySet[Attention, Any]:
        rows = Attention.objects.of_user(user, organization=Organization(pk=organization))
        return _counted(rows, AttentionCause.values, most)

    return Prepared(counted)


def _counted(rows: AttentionQuerySet, causes: Collection[str], most: int) -> QuerySet[Attention, Any]:
    read = rows.filter(cause__in=causes).order_by().values("pk")[: most + 1]
    groups = Attention.objects.filter(pk__in=read).values("cause", "subject")
    return groups.annotate(number=CountOf("pk"), first_due=Min("follow_up__scheduled_for"), one=Min("pk"))
