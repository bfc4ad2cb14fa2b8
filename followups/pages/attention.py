"""The page of what needs attention, as one request sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from followups.models import AttentionCause, AttentionLook, BulkAction, FollowUp
from followups.pages.attention_groups import Group, GroupKey, groups_for
from followups.pages.listing import ATTENTION, PAGE_SIZE, Filters, Tab, with_row
from followups.pages.page import FollowUpsPage
from followups.policies import Action, allowed_actions, may_change_many
from followups.wording import attention as words
from trochai import paging
from trochai.paging import Cursor
from trochai.ui import formatting
from trochai.ui.addresses import local_path, url

# Groups that are open at once, as far as one answer draws their rows.
MOST_OPEN = 3
SOONEST_FIRST = Tab.PENDING.order
# What repairs all of a group, what repairs it best first; besides keeping it as it is.
REPAIRS: Mapping[str, Sequence[BulkAction]] = {
    AttentionCause.TEMPLATE: (BulkAction.TEMPLATE, BulkAction.MOVE, BulkAction.HAND_OVER, BulkAction.CANCEL),
    AttentionCause.OPTED_OUT: (BulkAction.CANCEL,),
    AttentionCause.NUMBER: (BulkAction.CANCEL,),
    AttentionCause.LEFT: (BulkAction.HAND_OVER, BulkAction.CANCEL),
    AttentionCause.QUIET: (BulkAction.MOVE, BulkAction.CANCEL),
    AttentionCause.HOLIDAY: (BulkAction.MOVE, BulkAction.CANCEL),
    AttentionCause.LIMIT: (BulkAction.MOVE, BulkAction.CANCEL),
}
# What one row's repair is called. An edit is what gives it another template.
LABELS: Mapping[BulkAction, Promise] = {
    BulkAction.TEMPLATE: gettext_lazy("Another template"),
    BulkAction.MOVE: gettext_lazy("Move"),
    BulkAction.HAND_OVER: gettext_lazy("Hand over"),
    BulkAction.CANCEL: gettext_lazy("Cancel"),
}
FOR_ALL: Mapping[BulkAction, Promise] = {
    BulkAction.TEMPLATE: gettext_lazy("Use another template…"),
    BulkAction.MOVE: gettext_lazy("Move…"),
    BulkAction.HAND_OVER: gettext_lazy("Hand over…"),
    BulkAction.CANCEL: gettext_lazy("Cancel…"),
}
# What an action does for all of one cause's, where that is more than its name says.
FOR_ALL_OF: Mapping[tuple[str, BulkAction], Promise] = {
    (AttentionCause.LIMIT, BulkAction.MOVE): gettext_lazy("Spread…"),
}
OF_ONE = {
    BulkAction.TEMPLATE: Action.EDIT,
    BulkAction.MOVE: Action.MOVE,
    BulkAction.HAND_OVER: Action.HAND_OVER,
    BulkAction.CANCEL: Action.CANCEL,
}


@dataclass(frozen=True)
class Repair:
    """One way out: its name, and where it is asked for."""

    label: str
    url: str


@dataclass(frozen=True)
class RowShown:
    """One follow-up of an open group; ``attention`` is the id of what would go wrong with it."""

    follow_up: FollowUp
    attention: int
    detail: str
    relative: str
    repairs: Sequence[Repair]


@dataclass(frozen=True)
class RowsShown:
    """The rows of an open group, and what leads to the others."""

    rows: Sequence[RowShown]
    # What an open page asks with, to be shown the same again.
    state: str
    # To the first ones and to the next ones, if there are others: the page, and the rows alone.
    first_url: str
    first_rows_url: str
    following_url: str
    following_rows_url: str


@dataclass(frozen=True)
class GroupShown:
    key: GroupKey
    group: Group | None
    title: str
    detail: str
    about: words.About
    repairs: Sequence[Repair]
    # Whether it may be kept as it is, and whether that is what repairs it best.
    keeps: bool
    keeps_first: bool
    open_url: str
    rows_url: str
    open: RowsShown | None = None


class AttentionPage(FollowUpsPage):
    """Built once a request, with the tabs and banners of the list."""

    @property
    def _tab(self) -> str:
        return ATTENTION

    @cached_property
    def _filters(self) -> Filters:
        return Filters()

    @property
    def is_on_screen(self) -> bool:
        """Never the list: what has changed here comes by the page's own question."""
        return False

    @property
    def way_back(self) -> str:
        named = local_path(self.request.POST.get("next") or self.request.GET.get("next"))
        return named or self.here

    @cached_property
    def only_mine(self) -> bool:
        return not self.membership.is_admin or self.request.GET.get("whose") == "mine"

    @property
    def here(self) -> str:
        return self._url()

    def context(self) -> dict[str, Any]:
        """Return what the templates of the page need."""
        version = self.version  # before what it speaks of is read
        opened = dict(self._opened)
        found = self._kept(
            "my-groups" if self.only_mine else "groups",
            lambda: groups_for(self.membership, only_mine=self.only_mine),
        )
        groups = [self._group(group, opened) for group in found]
        return {
            "version": version,
            "section": "followups",
            "sidebar": self._frame,
            "here": self.here,
            "groups": groups,
            "only_mine": self.only_mine,
            "tabs": self._tabs,
            "tab_counts": self.tab_counts,
            "count": self._counts[ATTENTION],
            "pending": self._counts[Tab.PENDING],
            "looked_at": self._looked_at,
            **self.banners_context(),
            **self.progress_context(),
        }

    def open_context(self) -> dict[str, Any] | None:
        """Return what the template of one group's inside needs; None where no group is asked for."""
        for key, after in self._opened:
            return {"here": self.here, "each": self._shown(key, None, self._rows(key, after))}
        return None

    @property
    def _looked_at(self) -> dt.datetime | None:
        """When all that waits was last looked at, besides what has changed since."""
        looks = AttentionLook.objects.filter(organization=self.membership.organization)
        return looks.values_list("looked_at", flat=True).first()

    @property
    def _opened(self) -> list[tuple[GroupKey, Cursor | None]]:
        """The groups that are open, each with where its rows begin: ``open=template:5@<cursor>``."""
        found = []
        for given in self.request.GET.getlist("open")[:MOST_OPEN]:
            name, _mark, after = given.partition("@")
            if key := GroupKey.parse(name):
                found.append((key, SOONEST_FIRST.parse(after)))
        return found

    def _group(self, group: Group, opened: Mapping[GroupKey, Cursor | None]) -> GroupShown:
        rows = self._rows(group.key, opened[group.key]) if group.key in opened else None
        return self._shown(group.key, group, rows)

    def _shown(self, key: GroupKey, group: Group | None, rows: RowsShown | None) -> GroupShown:
        values = group.values if group else {}
        repairs = [
            Repair(
                str(FOR_ALL_OF.get((key.cause, each), FOR_ALL[each])), reverse("followups:bulk", args=[each])
            )
            for each in REPAIRS[key.cause]
            if may_change_many(self.membership, each)
        ]
        return GroupShown(
            key=key,
            group=group,
            title=words.title(key.cause, key.subject, values, self.now) if group else "",
            detail=words.detail(key.cause, values) if group and group.count.value == 1 else "",
            about=words.CAUSES[key.cause],
            repairs=repairs,
            keeps=key.cause != AttentionCause.OPTED_OUT,
            keeps_first=key.cause == AttentionCause.NUMBER,
            open_url=self._url(key),
            rows_url=_rows_url(key),
            open=rows,
        )

    def _rows(self, key: GroupKey, after: Cursor | None) -> RowsShown:
        page = paging.page_of(
            key.follow_ups(self.membership), SOONEST_FIRST, size=PAGE_SIZE, after=after, joined=with_row
        )
        found = key.attention(self.membership).filter(follow_up__in=[row.pk for row in page.rows])
        known = {each.follow_up_id: each for each in found}
        shown = [
            RowShown(
                follow_up=row,
                attention=known[row.pk].pk,
                detail=words.detail(key.cause, known[row.pk].values),
                relative=formatting.relative(row.scheduled_for, self.now),
                repairs=self._repairs(key, row),
            )
            for row in page.rows
            if row.pk in known
        ]
        return RowsShown(
            rows=shown,
            state=_state(key, after),
            first_url=self._url(key) if page.previous else "",
            first_rows_url=_rows_url(key) if page.previous else "",
            following_url=self._url(key, page.following) if page.following else "",
            following_rows_url=_rows_url(key, page.following) if page.following else "",
        )

    def _repairs(self, key: GroupKey, row: FollowUp) -> list[Repair]:
        allowed = allowed_actions(self.membership, row, self.now)
        labels = {OF_ONE[each]: LABELS[each] for each in REPAIRS[key.cause]}
        if key.cause == AttentionCause.NUMBER:
            # What it says may not be for whoever has the number now.
            labels = {Action.EDIT: gettext_lazy("Edit"), **labels}
        return [
            Repair(str(label), f"{url(f'followups:{action}', row.pk)}?{self._next}")
            for action, label in labels.items()
            if action in allowed
        ]

    @cached_property
    def _next(self) -> str:
        return urlencode({"next": self.here})

    def _url(self, key: GroupKey | None = None, after: Cursor | None = None) -> str:
        given = {"whose": "mine"} if self.membership.is_admin and self.only_mine else {}
        if key:
            given["open"] = _state(key, after)
        return reverse("followups:attention") + (f"?{urlencode(given)}" if given else "")


def _state(key: GroupKey, after: Cursor | None) -> str:
    """Return how an address names an open group, and where its rows begin."""
    return f"{key}@{after}" if after else str(key)


def _rows_url(key: GroupKey, after: Cursor | None = None) -> str:
    return f"{reverse('followups:attention_rows')}?{urlencode({'open': _state(key, after)})}"
