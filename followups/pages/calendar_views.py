"""The calendar: the sheet of all days ahead, a week by the hour, and a day in a drawer."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reswap

from followups.pages.calendar import CalendarPage
from followups.tasks import count_calendar
from trochai.accounts.access import MemberRequest
from trochai.waking import Waker

# Open pages ask for it again with each change; one call in so many seconds does for all of them.
waker = Waker(moment=1)


@require_safe
@vary_on_headers("HX-Request")
def month(request: MemberRequest) -> HttpResponse:
    """All days that can be scheduled for, on one sheet."""
    page = CalendarPage(request, now=timezone.now())
    return _unchanged(request, page) or _answer(request, page, page.month_context())


@require_safe
@vary_on_headers("HX-Request")
def week(request: MemberRequest) -> HttpResponse:
    """The hours of one week; ``on`` is a day of it."""
    page = CalendarPage(request, now=timezone.now())
    return _unchanged(request, page) or _answer(
        request, page, page.week_context(_date(request.GET.get("on")))
    )


@require_safe
@vary_on_headers("HX-Request")
def day(request: MemberRequest, year: int, month: int, day: int) -> HttpResponse:
    """One day by the hour, with the first few of each: a drawer for htmx, otherwise a page."""
    page = CalendarPage(request, now=timezone.now())
    try:
        context = page.day_context(dt.date(year, month, day))
    except (KeyError, ValueError, OverflowError):
        raise Http404 from None
    _have_it_counted(page)
    return render(request, "followups/_day.html" if request.htmx else "followups/day.html", context)


def _unchanged(request: MemberRequest, page: CalendarPage) -> HttpResponse | None:
    """Return the answer to an open page that shows all of it already.

    ``v``: the version of what it shows; ``seen``: how that looked.
    """
    if not request.htmx or request.htmx.history_restore_request:
        return None
    if page.version and request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    if request.GET.get("seen") != page.fingerprint:
        return None
    _have_it_counted(page)
    if not page.version:
        return HttpResponse(status=204)
    return reswap(render(request, "parts/_version.html", {"version": page.version, "oob": True}), "none")


def _answer(request: MemberRequest, page: CalendarPage, context: dict[str, Any]) -> HttpResponse:
    _have_it_counted(page)
    is_part = request.htmx and not request.htmx.history_restore_request
    return render(request, "followups/_calendar.html" if is_part else "followups/calendar.html", context)


def _have_it_counted(page: CalendarPage) -> None:
    if not page.known.is_current:
        waker.wake(count_calendar, page.organization.pk)


def _date(text: str | None) -> dt.date | None:
    try:
        return parse_date(text or "")
    except ValueError:  # 2026-02-31
        return None
