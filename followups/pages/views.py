"""The follow-ups page: the table, one row of it, and everything about one follow-up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from followups.models import FollowUp, FollowUpQuerySet
from followups.pages import history, table
from followups.pages.rows import Row, row_for
from followups.sending import ticks
from followups.wording import failures
from trochai.accounts.access import MemberRequest, get_for_member, membership_of
from trochai.accounts.models import Membership
from trochai.ui.htmx import path_on_screen
from trochai.whatsapp.models import Channel

FOLLOW_UPS = table.with_row(FollowUp.objects.visible())


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The table under one tab. htmx gets the list alone, with the tabs' links for the same filters."""
    context = listing(request, request.GET, timezone.now())
    if request.htmx and not request.htmx.history_restore_request:
        response = render(request, "followups/_filtered.html", context)
        response["HX-Replace-Url"] = context["here"]
        return response
    context["silent_since"] = ticks.announce_silence(now=timezone.now())
    return render(request, "followups/index.html", context)


@require_safe
def row(request: MemberRequest, pk: int) -> HttpResponse:
    """One row, which polls itself until its state is final; 204 while it looks the same."""
    now = timezone.now()
    follow_up = get_for_member(request, FOLLOW_UPS, pk)
    fresh = row_of(request, follow_up, now)
    if fresh.fingerprint == request.GET.get("seen"):
        return HttpResponse(status=204)
    context = {
        "row": fresh,
        "here": way_back(request),
        **tabs_for(request, filters_of(request, query_on_screen(request))[0]),
    }
    return render(request, "followups/_polled_row.html", context)


@require_safe
@vary_on_headers("HX-Request")
def detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Everything about one follow-up: a drawer for htmx, otherwise a page."""
    now = timezone.now()
    follow_up = get_for_member(request, FOLLOW_UPS, pk)
    attempts = list(follow_up.attempts.order_by("requested_at", "pk"))
    context = {
        "section": "followups",
        "row": row_of(request, follow_up, now),
        "rendered": follow_up.template.render(follow_up.parameters),
        "history": history.history_of(follow_up, attempts),
        "failure": follow_up.failure_kind and failures.explain(follow_up.failure_kind, follow_up.failure),
        "here": way_back(request),
    }
    return render(request, "followups/_detail.html" if request.htmx else "followups/detail.html", context)


# Parts of the page ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class TabLink:
    tab: table.Tab
    url: str
    count: table.Count
    is_current: bool


def listing(request: MemberRequest, query: QueryDict, now: dt.datetime) -> dict[str, Any]:
    membership = membership_of(request)
    filters, form, choices = filters_of(request, query)
    rows = filters.apply(_own(request), membership=membership, choices=choices, now=now)
    page = table.page_of(table.with_row(rows), filters)
    stopped = _stopped(membership)
    reasons = {channel.pk: channel.stop_reason for channel in stopped}
    tabs = tabs_for(request, filters)
    return {
        "section": "followups",
        "filters": filters,
        "form": form,
        "here": _url(filters),
        "clear_url": _url(filters.cleared()),
        "rows": [row_for(f, membership=membership, stopped=reasons, now=now) for f in page.rows],
        "page": page,
        "previous_url": page.previous and _url(filters.short_of(page.previous)),
        "following_url": page.following and _url(filters.beyond(page.following)),
        "tab_count": tabs["counts"][filters.tab],
        "count": _count(rows, filters, page, tabs["counts"]),
        "banners": [(channel, table.waiting_on(channel)) for channel in stopped],
        **tabs,
    }


def _count(
    rows: FollowUpQuerySet,
    filters: table.Filters,
    page: table.Page,
    counts: dict[table.Tab, table.Count],
) -> table.Count:
    if not filters.are_set:
        return counts[filters.tab]
    return table.Count(len(page.rows)) if page.is_whole else table.count_of(rows)


def filters_of(
    request: MemberRequest, query: QueryDict
) -> tuple[table.Filters, table.FilterForm, table.Choices]:
    choices = table.choices_for(membership_of(request))
    form = table.FilterForm(query, choices=choices)
    return form.filters(), form, choices


def tabs_for(request: MemberRequest, filters: table.Filters) -> dict[str, Any]:
    counts = table.counts_for(membership_of(request).organization)
    links = [TabLink(tab, _url(filters.with_tab(tab)), counts[tab], tab is filters.tab) for tab in table.Tab]
    return {"tabs": links, "counts": counts}


def row_of(request: MemberRequest, follow_up: FollowUp, now: dt.datetime) -> Row:
    membership = membership_of(request)
    reasons = {channel.pk: channel.stop_reason for channel in _stopped(membership)}
    return row_for(follow_up, membership=membership, stopped=reasons, now=now)


def _own(request: MemberRequest) -> FollowUpQuerySet:
    return FollowUp.objects.for_organization(membership_of(request).organization)


def _stopped(membership: Membership) -> list[Channel]:
    stopped = Channel.objects.for_organization(membership.organization).filter(stopped_at__isnull=False)
    return list(stopped.only("pk", "name", *Channel.STOP_FIELDS).order_by("name", "pk"))


def _url(filters: table.Filters) -> str:
    return reverse("followups:index") + filters.query


def is_on_index(request: MemberRequest) -> bool:
    return urlsplit(path_on_screen(request.htmx)).path == reverse("followups:index")


def query_on_screen(request: MemberRequest) -> QueryDict:
    return QueryDict(urlsplit(path_on_screen(request.htmx)).query if is_on_index(request) else "")


def way_back(request: MemberRequest) -> str:
    """Where to go back to: a page of this site that the form or link names, or else the list."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if allowed:
        return wanted
    return path_on_screen(request.htmx) if is_on_index(request) else reverse("followups:index")
