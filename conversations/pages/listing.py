"""The conversation list: its filters in the URL, and one page of rows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from conversations import message_search
from conversations.models import (
    Conversation,
    ConversationQuerySet,
    ConversationStatus,
    Tag,
)
from trochai import changes, paging
from trochai.accounts.models import Membership, Organization
from trochai.search import is_short, typed
from trochai.ui.addresses import url
from trochai.ui.drawn import Drawn

if TYPE_CHECKING:
    import datetime as dt

# Which conversation has which tag.
_Tagging = Conversation.tags.through

PAGE_SIZE = 30
COUNT_CAP = paging.BADGE_CAP
NOTHING = paging.Count(0)
SEARCH_LENGTH = 100
ORDER = paging.newest_first("last_message_at")
# How the database's indexes say that a conversation is not closed.
OPEN = (ConversationStatus.OPEN, ConversationStatus.IN_PROGRESS)
# As many rows a page keeps: those that follow come on a page of their own.
MOST_ROWS = 500
# By how many tags a list may be narrowed, and how many a row shows.
MOST_TAGS = 10
TAGS_IN_ROW = 3


class Tab(StrEnum):
    ALL = ""
    UNREAD = "unread"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        match self:
            case Tab.UNREAD:
                return _("Unread")
            case Tab.MINE:
                return _("Mine")
            case Tab.UNASSIGNED:
                return _("Unassigned")
            case Tab.CLOSED:
                return _("Closed")
        return _("All")

    @property
    def nothing(self) -> str:
        """What is said where nothing is in it."""
        match self:
            case Tab.UNREAD:
                return _("All read")
            case Tab.MINE:
                return _("Nothing is yours")
            case Tab.UNASSIGNED:
                return _("Nobody is waiting")
            case Tab.CLOSED:
                return _("Nothing closed yet")
        return _("No conversations yet")

    def of(self, rows: ConversationQuerySet, membership: Membership) -> ConversationQuerySet:
        match self:
            case Tab.UNREAD:
                return rows.filter(unread_count__gt=0)
            case Tab.MINE:
                mine = rows.filter(assignee=membership.user_id)
                return mine.filter(status__in=OPEN)
            case Tab.UNASSIGNED:
                return rows.filter(assignee__isnull=True, status__in=OPEN)
            case Tab.CLOSED:
                return rows.filter(status=ConversationStatus.CLOSED)
        return rows


class Sheet(StrEnum):
    """What stands beside a conversation."""

    NONE = ""
    CONTACT = "contact"
    FILES = "files"


@dataclass(frozen=True)
class Filters:
    """One state of the list, as its URL has it."""

    tab: Tab = Tab.ALL
    search: str = ""
    # Ids: only conversations that have all of these.
    tags: tuple[int, ...] = ()
    before: paging.Cursor | None = None
    # Beside it, of the conversation that is open: who the contact is, or all files.
    sheet: Sheet = Sheet.NONE

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Filters:
        """Read a query string or a form's data, ignoring what makes no sense."""
        name = data.get("f", "")
        return cls(
            tab=Tab(name) if name in set(Tab) else Tab.ALL,
            search=typed(data.get("q", ""), most=SEARCH_LENGTH),
            tags=_ids(data.get("tag", "")),
            before=ORDER.parse(data.get("before", "")),
            sheet=Sheet(side) if (side := data.get("sheet", "")) in set(Sheet) else Sheet.NONE,
        )

    def __str__(self) -> str:
        """The query string with its question mark, or nothing."""
        pairs = {
            "f": self.tab.value,
            "q": self.search,
            "tag": self.tags_value,
            "before": str(self.before or ""),
            "sheet": self.sheet.value,
        }
        encoded = urlencode({key: value for key, value in pairs.items() if value})
        return f"?{encoded}" if encoded else ""

    @property
    def is_short(self) -> bool:
        """Whether so little is searched for that only how a name begins is looked at."""
        return is_short(self.search)

    def with_tab(self, chosen: Tab) -> Filters:
        return replace(self, tab=chosen, before=None)

    def without_tags(self) -> Filters:
        return replace(self, tags=(), before=None)

    def toggled(self, tag: Tag) -> Filters:
        """Return this list with ``tag`` as one more condition, or without it."""
        others = tuple(pk for pk in self.tags if pk != tag.pk)
        return replace(self, tags=others if tag.pk in self.tags else (*others, tag.pk), before=None)

    @property
    def without_sheet(self) -> Filters:
        return self.with_sheet("")

    def with_sheet(self, side: str) -> Filters:
        return replace(self, sheet=Sheet(side))

    @property
    def tags_value(self) -> str:
        return ",".join(map(str, self.tags))

    def from_top(self) -> Filters:
        return replace(self, before=None)


def _ids(text: str) -> tuple[int, ...]:
    """Read "3,5"; each once."""
    numbers = [int(part) for part in text[:200].split(",") if re.fullmatch(r"[0-9]{1,18}", part)]
    return tuple(dict.fromkeys(numbers))[:MOST_TAGS]


class ShownTag(NamedTuple):
    name: str
    tone: str


class Shown(NamedTuple):
    """All that a row shows of its conversation: where nothing of it has changed, it is not drawn again."""

    pk: int
    contact: int
    name: str
    # With the list that it stands in.
    address: str
    # Its place in that.
    after: str
    last_message_at: dt.datetime
    unread_count: int
    is_outbound: bool
    picture: str
    picture_word: str
    words: str
    is_closed: bool
    has_failed: bool
    is_waiting: bool
    tags: tuple[ShownTag, ...]
    # How many are not among them.
    more_tags: int


# Of some 1.5 KB each.
_ITEM = Drawn("conversations/_item.html", most=2_000)


@dataclass(frozen=True)
class Row:
    """One conversation as the list shows it, drawn: the same for everybody who sees this list."""

    pk: int
    name: str
    tags: list[Tag]
    html: SafeString

    @property
    def html_of_open(self) -> SafeString:
        """The same where the conversation is the open one. Its link is the first that is in it."""
        return SafeString(self.html.replace("<a ", '<a aria-current="true" ', 1))


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
    older: Filters | None
    # The organization's, in its order.
    tags: Sequence[Tag]
    rows: list[Row]
    # How many stand above these in the open page.
    above: int = 0
    # More messages have what is searched for than were looked at.
    is_partial: bool = False
    # How many conversations are in those that are counted.
    counts: Mapping[Tab, paging.Count] = field(default_factory=dict)
    chips: list[TabLink] = field(default_factory=list)
    # How many conversations have each, by its id.
    tag_counts: Mapping[int, paging.Count] = field(default_factory=dict)
    # What had changed when it was found (``trochai.changes.told``).
    as_of: str = ""

    @property
    def shown(self) -> int:
        """How many rows the open page has with these."""
        return self.above + len(self.rows)

    @property
    def fills_page(self) -> bool:
        return self.shown >= MOST_ROWS

    @property
    def most_older(self) -> int:
        """How many rows the page keeps below these."""
        return MOST_ROWS - PAGE_SIZE

    @property
    def unread(self) -> paging.Count:
        return self.counts.get(Tab.UNREAD, NOTHING)

    @property
    def chosen_tags(self) -> list[Tag]:
        """Those that every conversation in the list has."""
        return [tag for tag in self.tags if tag.pk in self.query.tags]


def listing(membership: Membership, query: Filters, *, told: str = "", as_of: str = "") -> Listing:
    """Return the page that ``query`` asks for. The number of database queries is fixed.

    ``told`` names what all open pages of the organization have been told last (a moment, or all changes). Who
    asks because of it, or later, gets what the first of them has found and drawn, but for the member's own
    number. ``as_of`` is kept with it.
    """
    name = _shared_name(membership, query)
    shared: Listing | None = changes.recall(name, told) if name else None
    if shared is not None:
        # A moment has passed by the time that the same member asks again.
        since = as_of if told == as_of else ""
        mine = changes.kept(f"mine-{membership.pk}", since, lambda: _counts(membership, Tab.MINE))
        return _with_chips(replace(shared, counts={**shared.counts, **mine}))
    counted = paging.counted_to(_Tagging.objects.filter(tag=OuterRef("pk")), COUNT_CAP)
    tags = list(Tag.objects.for_organization(membership.organization).annotate(held_by=counted))
    found = replace(
        _page(membership, query, tags),
        counts=_counts(membership, Tab.UNREAD, Tab.MINE, Tab.UNASSIGNED),
        tag_counts={tag.pk: paging.Count.capped(tag.held_by, COUNT_CAP) for tag in tags},
        as_of=as_of,
    )
    if name:
        changes.keep(name, told, found)
    return _with_chips(found)


def _shared_name(membership: Membership, query: Filters) -> str:
    """Return where this list is kept for others; nothing for one that few would ask for."""
    if query.search or query.before:
        return ""
    whose = membership.user_id if query.tab == Tab.MINE else ""
    return f"list-{membership.organization_id}-{whose}-{quote(str(query))}"


def _counts(membership: Membership, *tabs: Tab) -> dict[Tab, paging.Count]:
    return _counting(tabs, COUNT_CAP).of(
        membership=membership.pk, organization=membership.organization_id, user=membership.user_id
    )


@cache
def _counting(tabs: Sequence[Tab], cap: int) -> paging.PreparedCounts[Tab]:
    def lists(*, membership: int, organization: int, user: int) -> tuple[QuerySet[Any], list[QuerySet[Any]]]:
        theirs = Membership(pk=membership, organization_id=organization, user_id=user)
        listed = Conversation.objects.for_organization(Organization(pk=organization)).current().listed()
        return Membership.objects.filter(pk=membership), [tab.of(listed, theirs) for tab in tabs]

    return paging.PreparedCounts(tabs, lists, cap)


def _with_chips(found: Listing) -> Listing:
    query, counts = found.query, found.counts
    chips = [
        TabLink(tab.label, query.with_tab(tab), tab == query.tab, str(counts.get(tab) or "")) for tab in Tab
    ]
    return replace(found, chips=chips)


def older(membership: Membership, query: Filters, *, above: int) -> Listing:
    """Return the same page for whoever has chips and tags already, and so many rows: without their counts."""
    tags = list(Tag.objects.for_organization(membership.organization))
    return replace(_page(membership, query, tags), above=above)


def _page(membership: Membership, query: Filters, tags: Sequence[Tag]) -> Listing:
    known = {tag.pk for tag in tags}
    query = replace(query, tags=tuple(pk for pk in query.tags if pk in known))
    is_partial = False
    if query.search or query.tags or query.before:
        page, is_partial = _looked_for(membership, query)
    else:
        mine = {"user": membership.user_id} if query.tab is Tab.MINE else {}
        page = _newest(query.tab).of(organization=membership.organization_id, **mine)
    if page.previous is None:
        query = query.from_top()
    following = replace(query, before=page.following) if page.following else None
    rows = _rows(page.rows, query, tags)
    return Listing(query=query, older=following, tags=tags, rows=rows, is_partial=is_partial)


def _looked_for(membership: Membership, query: Filters) -> tuple[paging.Page[Conversation], bool]:
    """Return the page, and whether more messages have the words than were looked at."""
    everything = Conversation.objects.for_organization(membership.organization).current()
    found = query.tab.of(everything if query.search else everything.listed(), membership)
    for pk in query.tags:
        found = found.filter(Exists(_Tagging.objects.filter(conversation=OuterRef("pk"), tag=pk)))
    is_partial = False
    if query.search:
        said_in, is_partial = message_search.conversations_with(membership.organization, query.search)
        found = found.search(query.search, said_in=said_in)
    page = paging.page_of(found, ORDER, size=PAGE_SIZE, after=query.before, joined=_with_row)
    return page, is_partial


@cache
def _newest(tab: Tab) -> paging.PreparedPage[Conversation]:
    """Return the first page under a tab; ``user`` is asked for what is theirs."""

    def rows(*, organization: int, user: int = 0) -> QuerySet[Conversation]:
        listed = Conversation.objects.for_organization(Organization(pk=organization)).current().listed()
        return tab.of(listed, Membership(organization_id=organization, user_id=user))

    return paging.PreparedPage(rows, ORDER, size=PAGE_SIZE, joined=_with_row)


def tags_of(conversations: Collection[Conversation], tags: Sequence[Tag]) -> dict[int, list[Tag]]:
    """Return by conversation which of ``tags`` it has, in their order: one query, or none without tags."""
    found: dict[int, set[int]] = defaultdict(set)
    if tags:
        taggings = _Tagging.objects.filter(conversation__in=[each.pk for each in conversations])
        for pk, tag in taggings.values_list("conversation_id", "tag_id"):
            found[pk].add(tag)
    return {each.pk: [tag for tag in tags if tag.pk in found[each.pk]] for each in conversations}


def _rows(conversations: list[Conversation], query: Filters, tags: Sequence[Tag]) -> list[Row]:
    tagged, address = tags_of(conversations, tags), str(query)
    rows = []
    for each in conversations:
        shown = _shown(each, address, tagged[each.pk])
        rows.append(Row(each.pk, shown.name, tagged[each.pk], _ITEM.html(shown)))
    return rows


def _shown(conversation: Conversation, query: str, tags: Sequence[Tag]) -> Shown:
    picture, word = conversation.preview_picture
    return Shown(
        pk=conversation.pk,
        contact=conversation.contact_id,
        name=conversation.contact.display_name,
        address=url("conversations:conversation", conversation.pk) + query,
        after=str(ORDER.after(conversation)),
        last_message_at=conversation.last_message_at,
        unread_count=conversation.unread_count,
        is_outbound=conversation.preview_is_outbound,
        picture=picture,
        picture_word=word,
        words=conversation.preview_words,
        is_closed=conversation.is_closed,
        has_failed=conversation.last_has_failed,
        is_waiting=conversation.waiting_count > 0,
        tags=tuple(ShownTag(tag.name, tag.tone) for tag in tags[:TAGS_IN_ROW]),
        more_tags=max(0, len(tags) - TAGS_IN_ROW),
    )


def _with_row(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Load what a row shows."""
    return rows.select_related("contact").only(
        "unread_count",
        "last_message_at",
        "preview",
        "preview_is_outbound",
        "preview_kind",
        "last_has_failed",
        "waiting_count",
        "status",
        "contact__name",
        "contact__phone",
        "contact__erased_at",
    )
