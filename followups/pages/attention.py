"""The page of what needs attention, as one request sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from followups.models import AttentionCause, AttentionLook, BulkAction, FollowUp
from followups.pages.attention_groups import SOONEST_FIRST, Group, GroupKey, groups_for
from followups.pages.listing import ATTENTION, Filters, Tab
from followups.pages.page import FollowUpsPage
from followups.policies import Action, allowed_actions, may_change_many
from followups.wording import attention as words
from trochai.paging import Cursor
from trochai.ui import formatting
from trochai.ui.addresses import local_path, url
from trochai.ui.drawn import Drawn

# Groups that are open at once, as far as one answer draws their rows.
MOST_OPEN = 3
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


class Repair(NamedTuple):
    """One way out: its name, and where it is asked for."""

    label: str
    url: str


# The names and values of what fills in the words about something.
Values = tuple[tuple[str, Any], ...]


class Ways(NamedTuple):
    """What can be done with all of a group."""

    key: GroupKey
    actions: tuple[BulkAction, ...]

    @property
    def repairs(self) -> list[Repair]:
        """What repairs it, best first."""
        return [
            Repair(str(FOR_ALL_OF.get((self.key.cause, each), FOR_ALL[each])), url("followups:bulk", each))
            for each in self.actions
        ]

    @property
    def keeps(self) -> bool:
        """Whether it may be kept as it is."""
        return may_be_kept(self.key.cause)

    @property
    def keeps_first(self) -> bool:
        """Whether that is what repairs it best."""
        return self.key.cause == AttentionCause.NUMBER


class GroupShown(NamedTuple):
    """All that a closed group shows: where nothing of it has changed, it is not drawn again.

    Its words are made when it is drawn: they depend on the language and the day.
    """

    ways: Ways
    # Those of one of its causes.
    values: Values
    number: str
    is_one: bool
    first_due: dt.datetime
    today: dt.date
    # The page without an open group.
    here: str

    @property
    def title(self) -> str:
        key = self.ways.key
        return words.title(key.cause, key.subject, dict(self.values), self.today)

    @property
    def detail(self) -> str:
        return words.detail(self.ways.key.cause, dict(self.values)) if self.is_one else ""

    @property
    def about(self) -> words.About:
        return words.CAUSES[self.ways.key.cause]

    @property
    def open_url(self) -> str:
        return _opened(self.here, self.ways.key)

    @property
    def rows_url(self) -> str:
        return _opened(url("followups:attention_rows"), self.ways.key)


class RowShown(NamedTuple):
    """All that one row of an open group shows: where nothing of it has changed, it is not drawn again."""

    follow_up: int
    # The id of what would go wrong with it.
    attention: int
    cause: str
    values: Values
    conversation: int
    name: str
    # Below the name.
    phone: str
    # Who is in charge; empty where nobody is any more.
    person: str
    scheduled_for: dt.datetime
    relative: str
    # What repairs it.
    actions: tuple[Action, ...]
    # Where repairs lead back to.
    here: str

    @property
    def detail(self) -> str:
        return words.detail(self.cause, dict(self.values))

    @property
    def repairs(self) -> list[Repair]:
        labels, back = _labels_for_one(self.cause), urlencode({"next": self.here})
        return [
            Repair(str(labels[each]), f"{url(f'followups:{each}', self.follow_up)}?{back}")
            for each in self.actions
        ]

    @property
    def keeps(self) -> bool:
        return may_be_kept(self.cause)


# Of some 2.5 and 1.5 KB each.
_GROUP = Drawn("followups/_attention_group.html", most=1_000)
_ROW = Drawn("followups/_attention_row.html", most=1_000)


@dataclass(frozen=True)
class RowsShown:
    """The inside of an open group: its rows as they are drawn, and what leads to the others."""

    ways: Ways
    rows: Sequence[SafeString]
    # What an open page asks with, to be shown the same again.
    state: str
    # To the first ones and to the next ones, if there are others: the page, and the rows alone.
    first_url: str
    first_rows_url: str
    following_url: str
    following_rows_url: str


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

    @cached_property
    def here(self) -> str:
        address = url("followups:attention")
        return f"{address}?whose=mine" if self.membership.is_admin and self.only_mine else address

    def context(self) -> dict[str, Any]:
        """Return what the templates of the page need."""
        version = self.version  # before what it speaks of is read
        opened = dict(self._opened)
        found, looked_at = self._kept(
            "my-attention" if self.only_mine else "attention",
            lambda: (groups_for(self.membership, only_mine=self.only_mine), self._looked_at),
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
            "looked_at": looked_at,
            **self.banners_context(),
            **self.progress_context(),
        }

    def open_context(self) -> dict[str, Any] | None:
        """Return what the template of one group's inside needs; None where no group is asked for."""
        for key, after in self._opened:
            return {"open": self._rows(key, after)}
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

    def _group(self, group: Group, opened: Mapping[GroupKey, Cursor | None]) -> SafeString:
        shown = GroupShown(
            ways=self._ways(group.key),
            values=tuple(group.values.items()),
            number=str(group.count),
            is_one=group.count.value == 1,
            first_due=group.first_due,
            today=self._today,
            here=self.here,
        )
        if group.key not in opened:
            return _GROUP.html(shown)
        context = {"shown": shown, "open": self._rows(group.key, opened[group.key])}
        return SafeString(render_to_string("followups/_attention_group.html", context, using="jinja2"))

    def _ways(self, key: GroupKey) -> Ways:
        return Ways(key, tuple(each for each in REPAIRS[key.cause] if may_change_many(self.membership, each)))

    def _rows(self, key: GroupKey, after: Cursor | None) -> RowsShown:
        page = key.page(self.membership, after=after)
        known = key.found(page.rows)
        rows_url, following = url("followups:attention_rows"), page.following
        return RowsShown(
            ways=self._ways(key),
            rows=[_ROW.html(self._row(key, row, *known[row.pk])) for row in page.rows if row.pk in known],
            state=_state(key, after),
            first_url=_opened(self.here, key) if page.previous else "",
            first_rows_url=_opened(rows_url, key) if page.previous else "",
            following_url=_opened(self.here, key, following) if following else "",
            following_rows_url=_opened(rows_url, key, following) if following else "",
        )

    def _row(self, key: GroupKey, row: FollowUp, attention: int, values: Mapping[str, Any]) -> RowShown:
        contact = row.conversation.contact
        allowed = allowed_actions(self.membership, row, self.now)
        return RowShown(
            follow_up=row.pk,
            attention=attention,
            cause=key.cause,
            values=tuple(values.items()),
            conversation=row.conversation_id,
            name=contact.display_name,
            phone=contact.display_phone if contact.name else "",
            person=str(row.in_charge or ""),
            scheduled_for=row.scheduled_for,
            relative=formatting.relative(row.scheduled_for, self.now),
            actions=tuple(action for action in _labels_for_one(key.cause) if action in allowed),
            here=self.here,
        )

    @cached_property
    def _today(self) -> dt.date:
        return timezone.localdate(self.now)


def may_be_kept(cause: str) -> bool:
    """Whether what has this cause may go out as it is. Whoever has opted out is sent nothing."""
    return cause != AttentionCause.OPTED_OUT


def _labels_for_one(cause: str) -> Mapping[Action, Promise]:
    """Return what repairs one of this cause, and what it is called."""
    labels = {OF_ONE[each]: LABELS[each] for each in REPAIRS[cause]}
    # What it says may not be for whoever has the number now.
    return {Action.EDIT: gettext_lazy("Edit"), **labels} if cause == AttentionCause.NUMBER else labels


def _state(key: GroupKey, after: Cursor | None) -> str:
    """Return how an address names an open group, and where its rows begin."""
    return f"{key}@{after}" if after else str(key)


def _opened(address: str, key: GroupKey, after: Cursor | None = None) -> str:
    """Return ``address`` with the group open."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'open': _state(key, after)})}"
