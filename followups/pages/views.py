"""The follow-ups page: the list, one row of it, its menu, and everything about one follow-up."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url, trigger_client_event

from followups import contents
from followups.pages import history
from followups.pages.page import FollowUpsPage
from followups.pages.series_views import series_context
from followups.policies import allowed_actions
from followups.sending import ticks
from followups.wording import failures
from templates_app.models import Template
from trochai.accounts.access import MemberRequest
from trochai.ui import toasts


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The list under one tab. htmx gets it alone, with the tabs' links for the same filters."""
    page = FollowUpsPage(request, now=timezone.now(), query=request.GET, is_load=True)
    context = page.list_context()
    if request.htmx and not request.htmx.history_restore_request:
        return replace_url(render(request, "followups/_filtered.html", context), context["here"])
    context["silent_since"] = ticks.announce_silence(now=page.now)
    return render(request, "followups/index.html", context)


@require_safe
def rows(request: MemberRequest) -> HttpResponse:
    """What is different by now on an open page, in its rows and the counts; 204 while nothing is.

    ``seen``, once for each row: its id and how it looked; ``stops``: which channels had stopped;
    ``progress``: how far bulk changes were; ``tabs``: the numbers at the tabs; ``v``: the version of what was
    seen.
    """
    page = FollowUpsPage(request, now=timezone.now())
    version = request.GET.get("v")
    if page.version and version == page.version:
        return HttpResponse(status=204)
    seen = request.GET.getlist("seen")
    found = page.changes(seen)
    if found.added and not seen:
        context = {**page.list_context(), "out_of_band": True}
        return render(request, "followups/_filtered.html", context)
    stops_changed = request.GET.get("stops", page.stops) != page.stops
    counts_changed = request.GET.get("tabs", page.tab_counts) != page.tab_counts
    progress_changed = request.GET.get("progress", page.progress_seen) != page.progress_seen
    around = [stops_changed, counts_changed, progress_changed]
    if not any([found.changed, found.gone, found.added, *around]):
        if version in {None, page.version}:
            return HttpResponse(status=204)
        return render(request, "parts/_version.html", {"version": page.version, "oob": True})
    # A list without rows has no count either.
    context = page.changes_context(found) | {"is_empty": not seen}
    if stops_changed:
        context |= page.banners_context()
    if progress_changed:
        context |= page.progress_context()
    return render(request, "followups/_changed_rows.html", context)


@require_safe
def menu(request: MemberRequest, pk: int) -> HttpResponse:
    """What a row's menu offers. htmx asks when it is opened: most of a page's never are."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    context = {
        "follow_up": follow_up,
        "actions": allowed_actions(request.membership, follow_up, page.now),
        "here": page.way_back,
    }
    return render(request, "followups/_row_menu.html", context, using="jinja2")


@require_safe
@vary_on_headers("HX-Request")
def detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Everything about one follow-up: a drawer for htmx, otherwise a page.

    An open drawer asks with how it looked (``seen``) and is answered with its inside, or with 204; where the
    follow-up is gone, that closes it.
    """
    page, seen = FollowUpsPage(request, now=timezone.now()), request.GET.get("seen")
    try:
        follow_up = page.find(pk)
    except Http404:
        if not request.htmx or seen is None:
            raise
        closed = trigger_client_event(HttpResponse(status=204), "dialog:close")
        return toasts.say(request, closed, title=_("This follow-up was deleted"))
    row = page.row(follow_up)
    if seen == row.fingerprint:
        return HttpResponse(status=204)
    attempts = list(follow_up.attempts.order_by("requested_at", "pk"))
    changes = list(follow_up.changes.select_related("by"))
    templates = {follow_up.template_id: follow_up.template}
    if others := contents.templates_named(change.values for change in changes) - templates.keys():
        templates |= Template.objects.in_bulk(others)
    context = {
        "section": "followups",
        "row": row,
        "rendered": follow_up.template.render(follow_up.parameters),
        "history": history.history_of(follow_up, attempts, changes, templates),
        "failure": follow_up.failure_kind and failures.explain(follow_up.failure_kind, follow_up.failure),
        "here": page.way_back,
        **series_context(follow_up, now=page.now),
    }
    if not request.htmx:
        return render(request, "followups/detail.html", context)
    return render(request, "followups/_detail.html" if seen is None else "followups/_drawer.html", context)
