"""Another date for what is scheduled, in a small dialog or on a page."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.http import reswap, retarget

from followups import lifecycle
from followups.models import FollowUp
from followups.pages.action_views import check_role, done, not_possible, refused, words
from followups.pages.forms import MoveForm
from followups.pages.page import FollowUpsPage
from followups.policies import Action
from followups.wanted import CUSTOM
from followups.wording.refusals import Refusal
from trochai.accounts.access import MemberRequest


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask for another moment, in a dialog or on a page; POST moves it there."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.MOVE)
    if answer := not_possible(page, follow_up, Action.MOVE):
        return answer
    organization = page.membership.organization
    if request.method == "POST":
        form = MoveForm(request.POST, organization=organization, now=page.now)
        return _move(page, follow_up, form)
    local = follow_up.scheduled_for.astimezone(organization.zone)
    initial = {"when": CUSTOM, "date": local.date(), "time": local.time()}
    form = MoveForm(organization=organization, now=page.now, initial=initial)
    return _ask_when(page, follow_up, form)


def _move(page: FollowUpsPage, follow_up: FollowUp, form: MoveForm) -> HttpResponse:
    if not form.is_valid():
        return _ask_when(page, follow_up, form)
    given = form.cleaned_data
    wanted = {"choice": given["when"], "to": form.scheduled_for, "version": given["version"]}
    try:
        moved = lifecycle.move(follow_up, **wanted, by=page.membership, now=page.now)
    except lifecycle.ScheduleRefused as refusal:
        form.show(refusal.problems)
        return _ask_when(page, follow_up, form)
    except lifecycle.TransitionRefused as refusal:
        if refusal.code is Refusal.CHANGED:
            return _ask_when(page, page.find(follow_up.pk), form, status=409)
        return refused(page, follow_up.pk, str(refusal))
    text = _("%(contact)s will get %(template)s on %(when)s.") % words(moved)
    return done(page, moved.pk, title=_("Follow-up moved"), text=text)


def _ask_when(page: FollowUpsPage, follow_up: FollowUp, form: MoveForm, *, status: int = 422) -> HttpResponse:
    """Show the form alone after an error, with the dialog around it at first, or as a page.

    ``status`` is the answer's where the form did not do.
    """
    if not page.request.htmx:
        template = "followups/move.html"
    elif form.is_bound:
        template = "followups/_move_form.html"
    else:
        template = "followups/_move_dialog.html"
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "conversation": follow_up.conversation,
        "form": form,
        "form_url": reverse("followups:move", args=[follow_up.pk]),
        "dialog": bool(page.request.htmx),
        "here": page.way_back,
        "changed": follow_up.changes.select_related("by").last() if status == 409 else None,
    }
    response = render(page.request, template, context, status=status if form.is_bound else 200)
    # The form does not swap anything itself when it has moved the row: the answer says what has changed.
    return reswap(retarget(response, "#move-form"), "outerHTML") if form.is_bound else response
