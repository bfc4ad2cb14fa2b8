"""What a bulk change would do, looked at before anything changes; never at more than so many rows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from followups.bulk.actions import BulkVerb, plan, prepared
from followups.models import FollowUp
from followups.pages.search import COUNT_CAP
from followups.scheduling import quiet_at
from trochai.paging import Count, count_of

if TYPE_CHECKING:
    from followups.bulk.selection import Selection
    from trochai.accounts.models import Membership, Organization

# Rows that are looked at one by one; of a larger selection the first, in the order in which it is worked on.
EXAMINED = 2_000
SHOWN = 5
NAMED = 3


@dataclass(frozen=True)
class Reason:
    """Why some rows would stay: how many they are, and the first of them."""

    code: str
    rows: Sequence[FollowUp]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def named(self) -> Sequence[FollowUp]:
        return self.rows[:NAMED]

    @property
    def others(self) -> int:
        return self.count - len(self.named)


@dataclass(frozen=True)
class Examined:
    """A selection, and its rows as far as they are looked at."""

    selected: Count
    rows: Sequence[FollowUp]

    @property
    def is_complete(self) -> bool:
        return not self.selected.is_capped and self.selected.value == len(self.rows)


@dataclass(frozen=True)
class Preview:
    """What would be, as far as it was looked at: the first rows that change, and why others would not."""

    examined: Examined
    changing: int
    first: Sequence[tuple[FollowUp, Any]]
    # How many would be due in quiet hours where their contact is, of what is moved.
    quiet: int
    reasons: Sequence[Reason]

    @property
    def staying(self) -> int:
        return sum(reason.count for reason in self.reasons)

    @property
    def count(self) -> Count:
        """How many will change; of a selection that was not looked at to its end, how many may."""
        return Count(self.changing) if self.examined.is_complete else self.examined.selected


def examine(selection: Selection, by: Membership) -> Examined:
    rows = selection.rows(by)
    found = list(rows.order_by("pk")[: EXAMINED + 1])
    examined = prepared(found[:EXAMINED], by.organization)
    return Examined(count_of(rows, COUNT_CAP) if len(found) > EXAMINED else Count(len(found)), examined)


def preview(examined: Examined, verb: BulkVerb, *, by: Membership, now: dt.datetime) -> Preview:
    planned = plan(verb, examined.rows, by=by, now=now)
    by_code: dict[str, list[FollowUp]] = defaultdict(list)
    for row, code in planned.refused.items():
        by_code[code].append(row)
    soonest = sorted(planned.wanted, key=lambda row: (row.scheduled_for, row.pk))
    return Preview(
        examined=examined,
        changing=len(planned.wanted),
        first=[(row, planned.wanted[row]) for row in soonest[:SHOWN]],
        quiet=sum(_is_quiet(row, wanted, by.organization) for row, wanted in planned.wanted.items()),
        reasons=[
            Reason(code, rows) for code, rows in sorted(by_code.items(), key=lambda each: -len(each[1]))
        ],
    )


def _is_quiet(row: FollowUp, wanted: Any, organization: Organization) -> bool:
    if not isinstance(wanted, dt.datetime):
        return False
    return quiet_at(wanted, row.conversation.contact, organization) is not None
