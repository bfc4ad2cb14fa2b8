"""What needs attention, in groups of one cause and subject; read no further than ``COUNT_CAP``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Count as CountOf
from django.db.models import Min

from followups.models import Attention, AttentionCause, AttentionQuerySet, FollowUp, FollowUpQuerySet
from followups.pages.search import COUNT_CAP
from followups.wording.attention import CAUSES
from trochai.paging import Count

if TYPE_CHECKING:
    from trochai.accounts.models import Membership

SHOWN = 50
KEY = re.compile(r"(mine-)?([a-z_]{1,16}):([0-9-]{0,64})")
WORST_FIRST = {cause: rank for rank, cause in enumerate(AttentionCause.values)}
WOULD_FAIL = [cause for cause in AttentionCause.values if CAUSES[cause].would_fail]
WOULD_ANNOY = [cause for cause in AttentionCause.values if not CAUSES[cause].would_fail]


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
        rows = FollowUp.objects.for_organization(membership.organization)
        return rows.filter(pk__in=self.attention(membership).values("follow_up"))


@dataclass(frozen=True)
class Group:
    """How many are in it, when the first is due, and the values of one of them."""

    key: GroupKey
    count: Count
    first_due: dt.datetime
    values: Mapping[str, Any]


def groups_for(membership: Membership, *, only_mine: bool) -> list[Group]:
    """Return the groups, the worst cause first and then the soonest; in three queries.

    Of more than so many rows only the first are read, and a count says that there may be more.
    """
    rows = Attention.objects.repairable_by(membership, only_mine=only_mine)
    found: list[dict[str, Any]] = []
    for causes in (WOULD_FAIL, WOULD_ANNOY):
        read = rows.filter(cause__in=causes).order_by().values("pk")[: COUNT_CAP + 1]
        counted = (
            Attention.objects.filter(pk__in=read)
            .values("cause", "subject")
            .annotate(number=CountOf("pk"), first_due=Min("follow_up__scheduled_for"), one=Min("pk"))
        )
        theirs = list(counted)
        is_capped = sum(each["number"] for each in theirs) > COUNT_CAP
        found += [each | {"count": Count(min(each["number"], COUNT_CAP), is_capped)} for each in theirs]
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
