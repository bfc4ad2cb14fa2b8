"""The follow-ups page: the list, one row of it, and everything about one follow-up."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url

from followups.pages import history
from followups.pages.page import FollowUpsPage
from followups.sending import ticks
from followups.wording import failures
from trochai.accounts.access import MemberRequest


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The list under one tab. htmx gets it alone, with the tabs' links for the same filters."""
    page = FollowUpsPage(request, now=timezone.now(), query=request.GET)
    context = page.list_context()
    if request.htmx and not request.htmx.history_restore_request:
        return replace_url(render(request, "followups/_filtered.html", context), context["here"])
    context["silent_since"] = ticks.announce_silence(now=page.now)
    return render(request, "followups/index.html", context)


@require_safe
def row(request: MemberRequest, pk: int) -> HttpResponse:
    """One row, which polls itself until its state is final; 204 while it looks the same."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    if page.row(follow_up).fingerprint == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "followups/_polled_row.html", page.row_context(follow_up))


@require_safe
@vary_on_headers("HX-Request")
def detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Everything about one follow-up: a drawer for htmx, otherwise a page."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    attempts = list(follow_up.attempts.order_by("requested_at", "pk"))
    context = {
        "section": "followups",
        "row": page.row(follow_up),
        "rendered": follow_up.template.render(follow_up.parameters),
        "history": history.history_of(follow_up, attempts, follow_up.changes.select_related("by")),
        "failure": follow_up.failure_kind and failures.explain(follow_up.failure_kind, follow_up.failure),
        "here": page.way_back,
    }
    return render(request, "followups/_detail.html" if request.htmx else "followups/detail.html", context)
