"""The follow-ups page as one request sees it: who looks, with which filters, and what is on their screen."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.sidebar import Sidebar
from followups.holds.brake import NOTHING
from followups.models import Attention, BulkAction, BulkChange, FollowUp, Hold, Status
from followups.pages import holds, listing
from followups.pages.holds import HoldShown
from followups.pages.listing import ATTENTION, CHANGING, Filters, Tab
from followups.pages.progress import progress_of
from followups.pages.rows import Row, row_for
from followups.pages.search import Found
from followups.policies import may_change_many
from followups.wording import bulk
from trochai import changes
from trochai.accounts.access import MemberRequest, get_for_member
from trochai.paging import Count, Page, count_of
from trochai.ui.addresses import local_path, path_on_screen
from trochai.whatsapp.models import Channel

# A row's id, small enough for any database, and its fingerprint.
SEEN = re.compile(r"([0-9]{1,18})-([0-9a-f]{8})")
# A page on which others come in grows so far; the settings allow 200 fields.
MOST_SEEN = 3 * listing.PAGE_SIZE
# What may be possible for rows under a tab, in the order of the bar.
BULK_ACTIONS: Mapping[Tab, Sequence[BulkAction]] = {
    Tab.ALL: (
        BulkAction.MOVE,
        BulkAction.HAND_OVER,
        BulkAction.TEMPLATE,
        BulkAction.CANCEL,
        BulkAction.DELETE,
    ),
    Tab.PENDING: (BulkAction.MOVE, BulkAction.HAND_OVER, BulkAction.TEMPLATE, BulkAction.CANCEL),
    Tab.SENT: (),
    Tab.FAILED: (BulkAction.HAND_OVER, BulkAction.DELETE),
    Tab.CANCELED: (BulkAction.DELETE,),
}
FIRST = {BulkAction.MOVE, BulkAction.CANCEL}
# Bulk changes shown at once.
MOST_PROGRESS = 5
FOLLOW_UP = FollowUp.objects.visible().select_related(
    "conversation__contact", "message", "template", "series"
)
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class TabLink:
    label: str
    url: str
    count: Count
    is_current: bool
    is_warning: bool = False


@dataclass(frozen=True)
class BulkButton:
    """What can be done to the rows that are ticked; on a phone only those that come first have room."""

    action: BulkAction
    verb: bulk.Verb
    is_first: bool


@dataclass(frozen=True)
class Changes:
    """What has become of the rows on an open page.

    ``gone``: ids of those deleted; ``added``: those that come in, each with the id of the row on the screen
    that it stands before, if any.
    """

    changed: Sequence[Row]
    gone: Sequence[int] = ()
    added: Sequence[tuple[Row, int | None]] = ()


class FollowUpsPage:
    """Built once a request; each part asks the database when it is first needed.

    ``query`` says which list is meant: by default the one on the screen of whoever asks through htmx.
    ``is_load``: whether somebody has come to it, and may see the numbers that are kept (``changes.kept``).
    """

    def __init__(
        self,
        request: MemberRequest,
        *,
        now: dt.datetime,
        query: QueryDict | None = None,
        is_load: bool = False,
    ) -> None:
        self.request = request
        self.membership = request.membership
        self.now = now
        self._is_load = is_load
        self._query = QueryDict(self._screen.query if self.is_on_screen else "") if query is None else query

    @property
    def is_on_screen(self) -> bool:
        """Whether htmx asks from the list, so that parts of it can be swapped."""
        return self._screen.path == reverse("followups:index")

    @property
    def way_back(self) -> str:
        """Where to go back to: a page of this site that the form or link names, or else the list."""
        wanted = local_path(self.request.POST.get("next") or self.request.GET.get("next"))
        on_screen = self._screen.geturl() if self.is_on_screen else ""
        return wanted or on_screen or reverse("followups:index")

    def find(self, pk: int) -> FollowUp:
        """Return the organization's follow-up with all that a row shows; raises ``Http404``."""
        return get_for_member(self.request, FOLLOW_UP, pk)

    def row(self, follow_up: FollowUp) -> Row:
        stopped = {channel.pk for channel in self._stopped}
        brake = holds.brake_by(self._holds) if follow_up.status == Status.PENDING else NOTHING
        return row_for(follow_up, membership=self.membership, stopped=stopped, brake=brake, now=self.now)

    @cached_property
    def version(self) -> str:
        """Of what the page shows (``trochai.changes``); to be asked for before anything else."""
        return changes.version(self.membership, changes.TABLE, now=self.now)

    def chunks(
        self, size: int, joined: Callable[[QuerySet[FollowUp]], QuerySet[FollowUp]]
    ) -> Iterator[list[FollowUp]]:
        """Return all that the filters find, ``size`` at a time; what they look up is looked up at once."""
        return listing.chunks_of(self._found, self._filters, size=size, joined=joined)

    def changes(self, seen: Sequence[str]) -> Changes:
        """Return what is different by now from the rows on the screen.

        ``seen`` has ``<id>-<fingerprint>`` for each; what makes no sense is ignored. On the first page of a
        list those come in that belong there by now; none leaves because it no longer does.
        """
        told = map(SEEN.fullmatch, seen[:MOST_SEEN])
        looks = {int(part[1]): part[2] for part in told if part}
        is_first = self.is_on_screen and not (self._filters.after or self._filters.before)
        fresh = self._page.rows if is_first and len(seen) <= MOST_SEEN - listing.PAGE_SIZE else []
        here = {follow_up.pk: follow_up for follow_up in fresh}
        theirs = FollowUp.objects.for_organization(self.membership.organization)
        found = listing.with_row(theirs).in_bulk(looks.keys() - here.keys()) | here
        rows = [self.row(found[pk]) for pk in looks if pk in found]
        return Changes(
            changed=[row for row in rows if row.fingerprint != looks[row.follow_up.pk]],
            gone=[pk for pk in looks if pk not in found],
            added=[
                (self.row(follow_up), next((each.pk for each in fresh[n:] if each.pk in looks), None))
                for n, follow_up in enumerate(fresh)
                if follow_up.pk not in looks
            ],
        )

    def changes_context(self, changes: Changes) -> dict[str, Any]:
        """Return what the templates of rows that have changed, and of the numbers around them, need."""
        here, picks = self.way_back, self.picks
        return {
            "changed": [row.html(here=here, picks=picks, is_in_place=True) for row in changes.changed],
            "gone": changes.gone,
            "added": [(row.html(here=here, picks=picks), before) for row, before in changes.added],
            "here": here,
            "picks": picks,
            "tabs": self._tabs,
            "count": self._count,
            "tab_counts": self.tab_counts,
            "version": self.version,
        }

    def list_context(self) -> dict[str, Any]:
        """Return what the templates of the list, its filters and its tabs need."""
        version = self.version  # before what it speaks of is read
        filters, page = self._filters, self._page
        here, picks = _url(filters), self.picks
        return {
            "version": version,
            "section": "followups",
            "sidebar": self._frame,
            "filters": filters,
            "form": self._form,
            "here": here,
            "clear_url": _url(filters.cleared()),
            "export_url": reverse("followups:export") + filters.with_tab(filters.tab).query,
            "rows": [self.row(follow_up).html(here=here, picks=picks) for follow_up in page.rows],
            "picks": picks,
            "bulk_buttons": self._bulk_buttons,
            "page": page,
            "previous_url": page.previous and _url(filters.short_of(page.previous)),
            "following_url": page.following and _url(filters.beyond(page.following)),
            "tabs": self._tabs,
            "counts": self._counts,
            "tab_counts": self.tab_counts,
            "tab_count": self._counts[filters.tab],
            "count": self._count,
            **self.banners_context(),
            **self.progress_context(),
        }

    def progress_context(self) -> dict[str, Any]:
        """Return what the template of the bulk changes that are being made needs."""
        made = [progress_of(each, membership=self.membership, now=self.now) for each in self._bulk_changes]
        return {"progress": made, "progress_seen": self.progress_seen}

    @property
    def progress_seen(self) -> str:
        """How far the bulk changes are, for an open page to tell whether that has changed."""
        return " ".join(
            f"{each.pk}-{each.done}-{each.stop_requested_at is not None:d}" for each in self._bulk_changes
        )

    @property
    def picks(self) -> bool:
        """Whether rows of this list can be chosen, to change many at once."""
        return any(may_change_many(self.membership, action) for action in BULK_ACTIONS[self._filters.tab])

    def banners_context(self) -> dict[str, Any]:
        """Return what the templates of the banners above the list need: for each hold and stopped channel."""
        return {
            "holds": self._holds_shown,
            "banners": [(channel, listing.waiting_on(channel)) for channel in self._stopped],
            "stops": self.stops,
        }

    @property
    def tab_counts(self) -> str:
        """The numbers at the tabs, for an open page to tell whether one has changed."""
        return " ".join(str(count) for name, count in self._counts.items() if name != CHANGING)

    @property
    def stops(self) -> str:
        """What is on hold and which channels have stopped, for an open page to tell what has changed."""
        stopped = [f"{channel.pk}-{channel.stop_code}" for channel in self._stopped]
        return " ".join([*(each.token for each in self._holds_shown), *stopped])

    @cached_property
    def _screen(self) -> SplitResult:
        return urlsplit(path_on_screen(self.request.htmx))

    @cached_property
    def _choices(self) -> listing.Choices:
        return self._kept("choices", lambda: listing.choices_for(self.membership))

    @cached_property
    def _form(self) -> listing.FilterForm:
        return listing.FilterForm(self._query, choices=self._choices)

    @cached_property
    def _filters(self) -> Filters:
        return self._form.filters()

    @cached_property
    def _found(self) -> Found:
        rows = FollowUp.objects.for_organization(self.membership.organization)
        return self._filters.apply(rows, membership=self.membership, choices=self._choices, now=self.now)

    @cached_property
    def _page(self) -> Page[FollowUp]:
        if self._filters == Filters(tab=self._filters.tab):
            return listing.first_page(self._filters.tab).of(organization=self.membership.organization_id)
        return listing.page_of(self._found, self._filters)

    @cached_property
    def _count(self) -> Count:
        if not self._filters.are_set:
            return self._counts[self._filters.tab]
        if self._page.is_whole:
            return Count(len(self._page.rows))
        return count_of(self._found.rows, self._found.count_cap)

    @cached_property
    def _counts(self) -> dict[str, Count]:
        return self._kept("tabs", self._count_tabs)

    def _count_tabs(self) -> dict[str, Count]:
        theirs = Attention.objects.repairable_by(self.membership) if self.membership.can_write else None
        return listing.counts_for(self.membership.organization, attention=theirs)

    def _kept(self, what: str, find: Callable[[], Kept]) -> Kept:
        """Return what only this member sees, and in this role."""
        told = changes.told(self.version, changes.TABLE) if self._is_load else ""
        return changes.kept(f"{what}-{self.membership.pk}-{self.membership.role}", told, find)

    @property
    def _tab(self) -> str:
        return self._filters.tab

    @cached_property
    def _tabs(self) -> list[TabLink]:
        links = []
        for tab in Tab:
            url = _url(self._filters.with_tab(tab))
            links.append(TabLink(tab.label, url, self._counts[tab], tab == self._tab))
            if tab is Tab.PENDING and (count := self._counts.get(ATTENTION)) is not None:
                is_current = self._tab == ATTENTION
                if count or is_current:
                    url = reverse("followups:attention")
                    links.append(
                        TabLink(_("Needs attention"), url, count, is_current, is_warning=bool(count))
                    )
        return links

    @property
    def _bulk_buttons(self) -> list[BulkButton]:
        offered = [
            action for action in BULK_ACTIONS[self._filters.tab] if may_change_many(self.membership, action)
        ]
        return [
            BulkButton(action, bulk.VERBS[action], is_first=action in FIRST or len(offered) < 3)
            for action in offered
        ]

    @cached_property
    def _frame(self) -> Sidebar:
        """The frame around the page, which knows in one query whether anything is on hold or has stopped."""
        return Sidebar(self.membership, self.request.memberships, is_load=self._is_load)

    @cached_property
    def _bulk_changes(self) -> list[BulkChange]:
        if not self._counts[CHANGING]:
            return []
        changes = BulkChange.objects.for_organization(self.membership.organization).unfinished()
        return list(changes.select_related("by").order_by("pk")[:MOST_PROGRESS])

    @cached_property
    def _holds(self) -> list[Hold]:
        if self._frame.channel and not self._frame.mark:
            return []
        return holds.in_force(self.membership.organization)

    @cached_property
    def _holds_shown(self) -> list[HoldShown]:
        return holds.shown(self._holds, membership=self.membership, now=self.now)

    @cached_property
    def _stopped(self) -> list[Channel]:
        # The frame's channel is a stopped one where there is any.
        if not self._frame.channel or not self._frame.channel.is_stopped:
            return []
        channels = Channel.objects.for_organization(self.membership.organization)
        stopped = channels.filter(stopped_at__isnull=False).only("pk", "name", *Channel.STOP_FIELDS)
        return list(stopped.order_by("name", "pk"))


def _url(filters: Filters) -> str:
    return reverse("followups:index") + filters.query
