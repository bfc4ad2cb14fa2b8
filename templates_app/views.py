from __future__ import annotations

from dataclasses import asdict

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url

from templates_app import requested_sync
from templates_app.listing import Listing
from templates_app.tasks import sync_requested
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.clock import database_now
from trochai.ui import toasts
from trochai.waking import waker


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The organization's templates as cards; search and filters swap the list alone."""
    table = Listing(request.membership.organization, request.GET)
    context = {"section": "templates", "table": table}
    if not request.htmx or request.htmx.history_restore_request:
        return render(request, "templates_app/index.html", context)
    response = render(request, "templates_app/_found.html", context)
    # Without the form's empty fields.
    return replace_url(response, _address(table))


@require_POST
def sync(request: MemberRequest) -> HttpResponse:
    """Have a worker fetch every channel's templates from Meta; ``sync_result`` says what has changed."""
    access.writer(request.membership)
    organization, now = request.membership.organization, database_now()
    for channel_id in requested_sync.request(organization, now=now):
        waker.wake(sync_requested, channel_id)
    table = Listing(organization, request.GET)
    if request.htmx:
        response = render(request, "templates_app/_page.html", {"table": table})
    else:
        response = redirect(_address(table))
    return response if table.syncs.channels else toasts.say(request, response, **asdict(table.syncs.result))


@require_safe
def sync_result(request: MemberRequest) -> HttpResponse:
    """Answer a page that waits for a sync: 204 while it goes on, then the list and what has changed."""
    table = Listing(request.membership.organization, request.GET)
    if table.syncs.is_syncing:
        return HttpResponse(status=204)
    response = render(request, "templates_app/_page.html", {"table": table})
    return toasts.say(request, response, **asdict(table.syncs.result))


def _address(table: Listing) -> str:
    return f"{reverse('templates:index')}?{table.query}".rstrip("?")
