"""The series that a follow-up is one of: what its drawer says of it, and ending it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.http import reswap, retarget

from followups import lifecycle
from followups.models import FollowUp, Series, Status
from followups.pages.action_views import check_role, done, not_possible, refused, words
from followups.pages.page import FollowUpsPage
from followups.pages.repeat_form import SHOWN_DATES
from followups.policies import Action
from followups.wording import repeats
from followups.wording.refusals import Refusal
from trochai.accounts.access import MemberRequest


def series_context(follow_up: FollowUp, *, now: dt.datetime) -> dict[str, Any]:
    """Return what the drawer says of the series, if the follow-up is one of any."""
    series = follow_up.series
    if series is None:
        return {}
    by = str(series.ended_by or "") if series.end_cause else ""
    return {
        "series": series,
        "series_words": repeats.sentence(series.rule, timezone.localdate(now)),
        "series_dates": _next_dates(series, now),
        "series_ended": repeats.ended(series.end_cause, by) if series.end_cause else "",
    }


def _next_dates(series: Series, now: dt.datetime) -> list[dt.datetime]:
    if not series.is_live:
        return []
    zone = timezone.get_current_timezone()
    coming = series.rule.coming(zone, after=series.next_number - 1, now=now, most=SHOWN_DATES)
    return [each.at for each in coming]


@require_http_methods(["GET", "HEAD", "POST"])
def end_series(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask whether no more should come, and what becomes of the one that waits; POST does it."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.END_SERIES)
    if answer := not_possible(page, follow_up, Action.END_SERIES):
        return answer
    if request.method != "POST":
        return _ask(page, follow_up)
    try:
        _end(page, follow_up, cancels="cancel" in request.POST)
    except lifecycle.TransitionRefused as refusal:
        return refused(page, pk, str(refusal))
    text = _("%(contact)s gets no more of %(template)s.") % words(follow_up)
    return done(page, pk, title=_("Repeating ended"), text=text)


def _end(page: FollowUpsPage, follow_up: FollowUp, *, cancels: bool) -> None:
    by, now = page.membership, page.now
    if cancels and follow_up.status == Status.PENDING:
        lifecycle.cancel(follow_up, by=by, now=now, following=True)
    elif follow_up.series is None or not lifecycle.end_series(follow_up.series, by=by.user, now=now):
        raise lifecycle.TransitionRefused(Refusal.CHANGED)


def _ask(page: FollowUpsPage, follow_up: FollowUp) -> HttpResponse:
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "waits": follow_up.status == Status.PENDING,
        "action_url": reverse("followups:end_series", args=[follow_up.pk]),
        "here": page.way_back,
        "dialog": bool(page.request.htmx),
    }
    if not page.request.htmx:
        return render(page.request, "followups/end_series.html", context)
    response = render(page.request, "followups/_end_series_dialog.html", context)
    return reswap(retarget(response, "body"), "beforeend")
