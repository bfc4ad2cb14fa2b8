"""The conversation list: its filters in the URL, one page of rows, and the marks beside them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from conversations.models import (
    Conversation,
    ConversationQuerySet,
    ConversationStatus,
    Delivery,
    Message,
)
from trochai import paging
from trochai.accounts.models import Membership
from trochai.search import is_short, typed

PAGE_SIZE = 30
COUNT_CAP = paging.BADGE_CAP
SEARCH_LENGTH = 100
ORDER = paging.newest_first("last_message_at")


@dataclass(frozen=True)
class RowMark:
    """An icon beside some conversations: ``holders`` returns which of the given ids get it."""

    icon: str
    label: str
    holders: Callable[[Collection[int]], set[int]]


# Apps above this one add theirs in ``ready()``.
row_marks: list[RowMark] = []


class Tab(StrEnum):
    ALL = ""
    UNREAD = "unread"
    MINE = "mine"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        labels = {Tab.ALL: _("All"), Tab.UNREAD: _("Unread"), Tab.MINE: _("Mine")}
        return labels.get(self) or _("Closed")

    def of(self, rows: ConversationQuerySet, membership: Membership) -> ConversationQuerySet:
        match self:
            case Tab.UNREAD:
                return rows.filter(unread_count__gt=0)
            case Tab.MINE:
                mine = rows.filter(assignee=membership.user_id)
                return mine.exclude(status=ConversationStatus.CLOSED)
            case Tab.CLOSED:
                return rows.filter(status=ConversationStatus.CLOSED)
        return rows


@dataclass(frozen=True)
class Filters:
    """One state of the list, as its URL has it."""

    tab: Tab = Tab.ALL
    search: str = ""
    before: paging.Cursor | None = None

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Filters:
        """Read a query string or a form's data, ignoring what makes no sense."""
        name = data.get("f", "")
        return cls(
            tab=Tab(name) if name in set(Tab) else Tab.ALL,
            search=typed(data.get("q", ""), most=SEARCH_LENGTH),
            before=ORDER.parse(data.get("before", "")),
        )

    def __str__(self) -> str:
        """The query string with its question mark, or nothing."""
        pairs = {"f": self.tab.value, "q": self.search, "before": str(self.before or "")}
        encoded = urlencode({key: value for key, value in pairs.items() if value})
        return f"?{encoded}" if encoded else ""

    @property
    def is_short(self) -> bool:
        """Whether so little is searched for that only how a name begins is looked at."""
        return is_short(self.search)

    def with_tab(self, chosen: Tab) -> Filters:
        return Filters(tab=chosen, search=self.search)

    def from_top(self) -> Filters:
        return replace(self, before=None)


@dataclass(frozen=True)
class TabLink:
    label: str
    query: Filters
    current: bool
    count: str = ""


@dataclass
class Listing:
    """One page of the list, newest first."""

    query: Filters
    conversations: list[Conversation]
    older: Filters | None
    unread: paging.Count
    chips: list[TabLink]
    failed: set[int]
    marks: list[tuple[RowMark, set[int]]] = field(default_factory=list)

    def marks_of(self, conversation: Conversation) -> list[RowMark]:
        return [mark for mark, holders in self.marks if conversation.pk in holders]

    @property
    def rows(self) -> list[tuple[Conversation, bool, list[RowMark]]]:
        """Each conversation, whether its last message failed, and its marks."""
        return [(each, each.pk in self.failed, self.marks_of(each)) for each in self.conversations]


def listing(membership: Membership, query: Filters) -> Listing:
    """Return the page that ``query`` asks for. The number of database queries is fixed."""
    everything = Conversation.objects.for_organization(membership.organization).current()
    found = query.tab.of(everything, membership)
    if query.search:
        found = found.search(query.search)
    page = paging.page_of(found, ORDER, size=PAGE_SIZE, after=query.before, joined=_with_row)
    if page.previous is None:
        query = query.from_top()
    lists = {chosen: chosen.of(everything, membership) for chosen in (Tab.UNREAD, Tab.MINE)}
    counts = paging.counts_of(lists, COUNT_CAP, of=Membership.objects.filter(pk=membership.pk))
    ids = [conversation.pk for conversation in page.rows]
    return Listing(
        query=query,
        conversations=page.rows,
        older=replace(query, before=page.following) if page.following else None,
        unread=counts[Tab.UNREAD],
        chips=[
            TabLink(each.label, query.with_tab(each), each == query.tab, str(counts.get(each) or ""))
            for each in Tab
        ],
        failed={conversation.pk for conversation in filter(attrgetter("last_has_failed"), page.rows)},
        marks=[(mark, mark.holders(ids)) for mark in row_marks],
    )


def _with_row(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Load what a row shows, and as ``last_has_failed`` whether its last message was not sent."""
    # One look into the index for each conversation, however many messages it has.
    last = Message.objects.filter(conversation=OuterRef("pk"), at=OuterRef("last_message_at"))
    failed = Exists(last.filter(delivery=Delivery.FAILED))
    return (
        rows.select_related("contact")
        .annotate(last_has_failed=failed)
        .only(
            "unread_count",
            "last_message_at",
            "preview",
            "preview_is_outbound",
            "preview_kind",
            "contact__name",
            "contact__phone",
        )
    )
