"""What needs attention, in groups of one cause and subject; of each cause read up to ``ATTENTION_CAP``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Count as CountOf
from django.db.models import Min

from followups.models import (
    Attention,
    AttentionCause,
    AttentionQuerySet,
    FollowUp,
    FollowUpQuerySet,
    Status,
    in_charge,
)
from followups.pages.listing import ATTENTION_CAP
from trochai.paging import Count

if TYPE_CHECKING:
    from trochai.accounts.models import Membership

SHOWN = 50
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
        organization = membership.organization
        found = Attention.objects.open_in(organization).filter(cause=self.cause, subject=self.subject)
        waiting = FollowUp.objects.for_organization(organization).unsettled().filter(status=Status.PENDING)
        rows = waiting.filter(pk__in=found.values("follow_up"))
        everyones = membership.is_admin and not self.only_mine
        return rows if everyones else rows.filter(in_charge([membership.user_id]))


@dataclass(frozen=True)
class Group:
    """How many are in it, when the first is due, and the values of one of them."""

    key: GroupKey
    count: Count
    first_due: dt.datetime
    values: Mapping[str, Any]


def groups_for(membership: Membership, *, only_mine: bool) -> list[Group]:
    """Return the groups, the worst cause first and then the soonest.

    Of everyone's each cause is a query: of very many only the first are read, which are no others' then. A
    count says where there may be more.
    """
    rows = Attention.objects.repairable_by(membership, only_mine=only_mine)
    found: list[dict[str, Any]] = []
    everyones = membership.is_admin and not only_mine
    for causes in [[each] for each in AttentionCause.values] if everyones else [AttentionCause.values]:
        most = ATTENTION_CAP * len(causes)
        read = rows.filter(cause__in=causes).order_by().values("pk")[: most + 1]
        counted = (
            Attention.objects.filter(pk__in=read)
            .values("cause", "subject")
            .annotate(number=CountOf("pk"), first_due=Min("follow_up__scheduled_for"), one=Min("pk"))
        )
        theirs = list(counted)
        is_capped = sum(each["number"] for each in theirs) > most
        found += [each | {"count": Count(min(each["number"], most), is_capped)} for each in theirs]
    found.sort(key=lambda each: (WORST_FIRST[each["cause"]], each["first_due"], each["subject"]))
    shown = found[:SHOWN]
    values = dict(
        Attention.objects.filter(pk__in=[each["one"] for each in shown]).values_list("pk", "values")
    )
    return [
        Group(
            GroupKey(each["cause"], each["subject"], only_mine),
            each["count"],
            each["first_due"],
            values.get(each["one"], {}),
        )
        for each in shown
    ]
