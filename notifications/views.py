from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from notifications.models import Notification
from trochai import changes
from trochai.accounts.access import MemberRequest
from trochai.paging import newest_first, page_of
from trochai.ui.addresses import local_path

PAGE_SIZE = 30
ORDER = newest_first("created_at")
# What fits into the popover without much scrolling.
POPOVER_SIZE = 10
# Tells the bell to count again.
CHANGED = "notifications:changed"


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The member's notifications, newest first: the bell's popover for htmx, else a page."""
    if request.htmx and not request.htmx.history_restore_request:
        return _popover(request)
    mine = Notification.objects.for_member(request.membership)
    page = page_of(mine, ORDER, size=PAGE_SIZE, after=ORDER.parse(request.GET.get("before", "")))
    context = {
        "section": "notifications",
        "notices": page.rows,
        "older": page.following,
        "is_first_page": page.previous is None,
        "has_unread": mine.unread().exists(),
    }
    return render(request, "notifications/index.html", context)


@require_safe
@never_cache
def bell(request: MemberRequest) -> HttpResponse:
    """The bell's count and what else the frame shows; every open page asks for it by itself.

    ``v``: the version of what it was answered last; 204 while that is still so. ``section``: the open page.
    """
    # Read before what it speaks of.
    version = changes.version(request.membership, changes.FRAME, now=timezone.now())
    if version and request.GET.get("v") == version:
        return HttpResponse(status=204)
    context = {"version": version, "section": request.GET.get("section", "")}
    return render(request, "notifications/_frame.html", context)


@require_POST
def open_notification(request: MemberRequest, pk: int) -> HttpResponse:
    """Mark one as read and go to what it is about."""
    mine = Notification.objects.for_member(request.membership)
    notification = mine.filter(pk=pk).first()
    if notification is None:
        raise Http404
    mine.unread().filter(pk=pk).update(read_at=timezone.now())
    # Never to another site, whoever wrote it.
    return redirect(local_path(notification.url) or "notifications:index")


@require_POST
def read_all(request: MemberRequest) -> HttpResponse:
    """Mark all of the member's notifications as read."""
    mine = Notification.objects.for_member(request.membership)
    mine.unread().update(read_at=timezone.now())
    if request.htmx:
        return trigger_client_event(_popover(request), CHANGED)
    return redirect("notifications:index")


def _popover(request: MemberRequest) -> HttpResponse:
    mine = Notification.objects.for_member(request.membership)
    notices = list(mine[:POPOVER_SIZE])
    context = {"notices": notices, "has_unread": mine.unread().exists()}
    return render(request, "notifications/_popover.html", context)
