"""The list of follow-ups: the filters in its URL, its tabs' counts, and one page of rows.

Each order and each filter has an index on ``FollowUp``, and no count goes on past ``COUNT_CAP``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.models import Attention, BulkChange, FollowUp, FollowUpQuerySet, Status
from followups.pages.search import COUNT_CAP, Found, search
from followups.wording.lists import NO_MATCH, NO_MATCH_AT_ALL, NOTHING, Nothing
from templates_app.models import Template
from trochai import paging
from trochai.accounts.models import Membership, Organization
from trochai.hints import hints
from trochai.paging import Count, Cursor, Once, Order, Page, count_of, counts_of
from trochai.search import is_short
from trochai.whatsapp.models import Channel

PAGE_SIZE = 25
# Beside the tabs, to a page of its own (followups.pages.attention). What needs it is looked up row by row.
ATTENTION = "attention"
ATTENTION_CAP = 1_000
# Bulk changes that are being made.
CHANGING = "changing"
# Seconds.
BEYOND_FOR = 600
# Days whose midnight can be represented in every time zone, and so can the days next to them.
IN_REACH = [MinValueValidator(dt.date(1970, 1, 1)), MaxValueValidator(dt.date(9998, 12, 31))]


class Tab(StrEnum):
    ALL = "all"
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def label(self) -> str:
        return _("All") if self is Tab.ALL else str(Status(self.value).label)

    @property
    def nothing(self) -> Nothing | None:
        """What is said when nothing is under this tab; None for the tab of all."""
        return NOTHING.get(self)

    @property
    def soonest_first(self) -> bool:
        return self is Tab.PENDING

    @property
    def order(self) -> Order:
        newest_first = paging.newest_first("scheduled_for")
        return newest_first.reversed if self.soonest_first else newest_first

    def of(self, rows: FollowUpQuerySet) -> FollowUpQuerySet:
        """Return those of ``rows`` that belong under this tab; processing ones count as pending."""
        match self:
            case Tab.ALL:
                return rows
            case Tab.PENDING:
                return rows.unsettled()
        return rows.filter(status=self.value)


class DateRange(StrEnum):
    NEXT_7_DAYS = "next_7_days"
    LAST_30_DAYS = "last_30_days"
    CUSTOM = "custom"


class FilterForm(forms.Form):
    """The query string. Every field is optional, and one that makes no sense is ignored."""

    status = forms.ChoiceField(choices=[(tab.value, tab.value) for tab in Tab], required=False)
    q = forms.CharField(max_length=200, required=False)
    by = forms.ChoiceField(required=False)
    template = forms.ChoiceField(required=False)
    date = forms.ChoiceField(
        choices=[
            ("", gettext_lazy("Any date")),
            (DateRange.NEXT_7_DAYS.value, gettext_lazy("Next 7 days")),
            (DateRange.LAST_30_DAYS.value, gettext_lazy("Last 30 days")),
            (DateRange.CUSTOM.value, gettext_lazy("Choose dates…")),
        ],
        required=False,
    )
    first = forms.DateField(validators=IN_REACH, required=False)
    last = forms.DateField(validators=IN_REACH, required=False)
    after = forms.CharField(max_length=40, required=False)
    before = forms.CharField(max_length=40, required=False)

    def __init__(self, data: Mapping[str, Any], *, choices: Choices) -> None:
        super().__init__(data)
        cast("forms.ChoiceField", self.fields["by"]).choices = choices.people
        cast("forms.ChoiceField", self.fields["template"]).choices = [
            ("", _("Any template")),
            *((name, name) for name in choices.templates),
        ]

    def filters(self) -> Filters:
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        given["tab"] = Tab(given.pop("status", Tab.ALL))
        given |= {
            name: given["tab"].order.parse(given[name]) for name in ("after", "before") if name in given
        }
        if "date" in given:
            given["date"] = DateRange(given["date"])
        if given.get("date") != DateRange.CUSTOM:
            given.pop("first", None)
            given.pop("last", None)
        return Filters(**given)


@dataclass(frozen=True)
class Choices:
    """The people and templates that a member can filter by."""

    people: list[tuple[str, str]]
    templates: dict[str, list[int]]  # the ids of each name: one per language and channel


def choices_for(membership: Membership) -> Choices:
    organization = membership.organization
    others = (
        Membership.objects.for_organization(organization)
        .exclude(user_id=membership.user_id)
        .order_by("user__name", "user_id")
        .values_list("user_id", "user__name")
    )
    templates: dict[str, list[int]] = {}
    known = Template.objects.for_organization(organization).order_by("name", "pk")
    for pk, name in known.values_list("pk", "name"):
        templates.setdefault(name, []).append(pk)
    people = [("", _("Created by anyone")), ("me", _("Created by me"))]
    return Choices(people=[*people, *((str(pk), name) for pk, name in others)], templates=templates)


@dataclass(frozen=True)
class Filters:
    """One state of the page, as its URL has it."""

    tab: Tab = Tab.ALL
    q: str = ""
    by: str = ""
    template: str = ""
    date: DateRange | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    after: Cursor | None = None
    before: Cursor | None = None

    @property
    def are_set(self) -> bool:
        return bool(self.q or self.by or self.template or self.date)

    @property
    def is_short(self) -> bool:
        """Whether so little is searched for that only how a name begins is looked at."""
        return is_short(self.q)

    @property
    def number_set(self) -> int:
        """How many of the selects are set; on a phone the button that opens their sheet says so."""
        return sum(map(bool, (self.by, self.template, self.date)))

    @property
    def no_match(self) -> str:
        """What is said when the search finds nothing."""
        return str(NO_MATCH.get(self.tab, NO_MATCH_AT_ALL)) % {"search": self.q}

    def with_tab(self, tab: Tab) -> Filters:
        return replace(self, tab=tab, after=None, before=None)

    def cleared(self) -> Filters:
        return Filters(tab=self.tab)

    def beyond(self, cursor: Cursor) -> Filters:
        return replace(self, after=cursor, before=None)

    def short_of(self, cursor: Cursor) -> Filters:
        return replace(self, after=None, before=cursor)

    @property
    def query(self) -> str:
        """The query string that leads back here, with its question mark."""
        given = {
            "status": self.tab,
            "q": self.q,
            "by": self.by,
            "template": self.template,
            "date": self.date,
            "first": self.first,
            "last": self.last,
            "after": self.after,
            "before": self.before,
        }
        return "?" + urlencode({name: str(value) for name, value in given.items() if value})

    def apply(
        self, rows: FollowUpQuerySet, *, membership: Membership, choices: Choices, now: dt.datetime
    ) -> Found:
        """Narrow the organization's ``rows`` to those that match the tab and the filters."""
        rows = self.tab.of(rows)
        if self.by:
            rows = rows.filter(created_by_id=membership.user_id if self.by == "me" else int(self.by))
        if self.template:
            rows = rows.filter(template_id__in=choices.templates.get(self.template, []))
        first, last = self._days(timezone.localdate(now))
        if first:
            rows = rows.filter(scheduled_for__gte=_midnight(first))
        if last:
            rows = rows.filter(scheduled_for__lt=_midnight(last + dt.timedelta(days=1)))
        return search(rows, self.q, organization=membership.organization)

    def _days(self, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
        """Return the first and the last day of the date filter, both included."""
        match self.date:
            case DateRange.NEXT_7_DAYS:
                return today, today + dt.timedelta(days=7)
            case DateRange.LAST_30_DAYS:
                return today - dt.timedelta(days=30), today
        if self.first and self.last:
            return min(self.first, self.last), max(self.first, self.last)
        return self.first, self.last


SHOWN = (
    "channel_id",
    "organization_id",
    "template_id",
    "shape",
    "note",
    "created_by_id",
    "owner_id",
    "status",
    "scheduled_for",
    "next_attempt_at",
    "held_reason",
    "quiet_in",
    "failures",
    "requested_at",
    "failed_at",
    "failure_kind",
    "failure_code",
    "failure_cause",
    "failure_values",
    "retry_allowed_at",
    "canceled_at",
    "canceled_by_id",
    "cancel_cause",
    "version",
    "series_id",
    "occurrence",
    "conversation__contact__name",
    "conversation__contact__phone",
    "conversation__contact__erased_at",
    "message__delivery",
    "created_by__name",
    "created_by__email",
)


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


def with_row(rows: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    """Load what a row shows, without what is large and not shown.

    A few templates stand in many rows: joined, each row would bring its own. And planning a join of six
    tables with so many indexes takes PostgreSQL longer than executing it.
    """
    return (
        rows.select_related("conversation__contact", "message", "created_by")
        .prefetch_related("template", "canceled_by", "owner", "series")
        .only(*SHOWN)
    )


@cache
def first_page(tab: Tab) -> paging.PreparedPage[FollowUp]:
    """Return the first page of an ``organization`` under a tab, as ``page_of`` does without filters."""

    def rows(*, organization: int) -> FollowUpQuerySet:
        return tab.of(FollowUp.objects.for_organization(Organization(pk=organization)))

    return paging.PreparedPage(rows, tab.order, size=PAGE_SIZE, joined=with_row)


def page_of(found: Found, filters: Filters) -> Page[FollowUp]:
    """Return the page of what was found that the filters' cursors ask for."""
    return paging.page_of(
        found.rows,
        replace(filters.tab.order, of_few=found.are_few),
        size=PAGE_SIZE,
        after=filters.after,
        before=filters.before,
        joined=with_row,
    )


def chunks_of(
    found: Found, filters: Filters, *, size: int, joined: Callable[[QuerySet[FollowUp]], QuerySet[FollowUp]]
) -> Iterator[list[FollowUp]]:
    """Yield all that was found, whatever page the filters' cursors ask for."""
    order = replace(filters.tab.order, of_few=found.are_few)
    return paging.chunks_of(found.rows, order, size=size, joined=joined)


def waiting_on(channel: Channel) -> Count:
    """How many follow-ups a channel still has to send."""
    return count_of(FollowUp.objects.waiting().filter(channel=channel), COUNT_CAP)


def counts_for(
    organization: Organization, *, attention: QuerySet[Attention] | None = None
) -> dict[str, Count]:
    """Return the number beside each tab, in one bounded query, and of the bulk changes that are being made.

    Also of what needs ``attention``, if asked.

    What was beyond the cap a moment ago is taken to be so still; but for what waits, which a burst can send.
    """
    rows = FollowUp.objects.for_organization(organization)
    names = {f"beyond-{organization.pk}-{tab}": tab for tab in Tab if tab not in {Tab.ALL, Tab.PENDING}}
    beyond = {names[name] for name in hints.read(names) or ()}
    lists: dict[str, QuerySet[Any]] = {
        tab: tab.of(rows) for tab in Tab if tab is not Tab.ALL and tab not in beyond
    }
    lists[CHANGING] = BulkChange.objects.for_organization(organization).unfinished()
    if attention is not None:
        lists[ATTENTION] = attention
    # A row may need it for several reasons.
    once = {ATTENTION: Once("follow_up_id", ATTENTION_CAP)}
    found = counts_of(lists, COUNT_CAP, of=Organization.objects.filter(pk=organization.pk), once=once)
    hints.write(
        {name: True for name, tab in names.items() if tab in found and found[tab].is_capped},
        seconds=BEYOND_FOR,
    )
    counts: dict[str, Count] = dict.fromkeys(beyond, Count(COUNT_CAP, is_capped=True)) | found
    total = sum(counts[tab].value + counts[tab].is_capped for tab in Tab if tab is not Tab.ALL)
    return {Tab.ALL: Count.capped(total, COUNT_CAP), **counts}
