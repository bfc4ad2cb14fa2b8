"""Which follow-ups a bulk change is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from followups.models import FollowUp, FollowUpQuerySet
from followups.pages.attention_groups import GroupKey
from followups.pages.listing import DateRange, Filters, Tab, choices_for

if TYPE_CHECKING:
    from trochai.accounts.models import Membership


@dataclass(frozen=True)
class Selection:
    """The rows with these ids, or all that a list showed up to its newest one; as they were seen ``at``.

    The list is that of the filters, or a ``group`` of what needs attention.

    Of a list its filters are kept and never ids, so a hundred thousand rows weigh as much as one. What came
    in later than ``newest`` nobody has seen, and is not meant.
    """

    at: dt.datetime
    ids: tuple[int, ...] = ()
    filters: Filters | None = None
    group: GroupKey | None = None
    newest: int = 0

    @property
    def is_whole_list(self) -> bool:
        return self.filters is not None

    def rows(self, membership: Membership) -> FollowUpQuerySet:
        """Return the rows as the member finds them by now, unsorted; at most four queries later."""
        if self.group is not None:
            return self.group.follow_ups(membership).filter(pk__lte=self.newest)
        if self.filters is None:
            # Also what was deleted since: it is refused, not forgotten.
            return FollowUp.objects.filter(organization=membership.organization, pk__in=self.ids)
        rows = FollowUp.objects.for_organization(membership.organization)
        choices = choices_for(membership)
        found = self.filters.apply(rows, membership=membership, choices=choices, now=self.at)
        return found.rows.filter(pk__lte=self.newest)

    def as_json(self) -> dict[str, Any]:
        at = self.at.astimezone(dt.UTC).isoformat()
        if self.group is not None:
            return {"at": at, "newest": self.newest, "group": str(self.group)}
        if self.filters is None:
            return {"at": at, "ids": list(self.ids)}
        return {"at": at, "newest": self.newest, "filters": _stored(self.filters)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        at = dt.datetime.fromisoformat(stored["at"])
        if "ids" in stored:
            return cls(at, ids=tuple(stored["ids"]))
        if "group" in stored:
            return cls(at, group=GroupKey.parse(stored["group"]), newest=stored["newest"])
        return cls(at, filters=_read(stored["filters"]), newest=stored["newest"])


def _stored(filters: Filters) -> dict[str, str]:
    given = {
        "tab": filters.tab,
        "q": filters.q,
        "by": filters.by,
        "template": filters.template,
        "date": filters.date,
        "first": filters.first,
        "last": filters.last,
    }
    return {name: str(value) for name, value in given.items() if value}


def _read(stored: Mapping[str, str]) -> Filters:
    read: dict[str, Callable[[str], Any]] = {
        "tab": Tab,
        "date": DateRange,
        "first": dt.date.fromisoformat,
        "last": dt.date.fromisoformat,
    }
    return Filters(**{name: read.get(name, str)(value) for name, value in stored.items()})
