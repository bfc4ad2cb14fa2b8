"""Holding what the organization's numbers send, saying why, and releasing it: for admins."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reswap, retarget, trigger_client_event

from followups.holds import people, releasing
from followups.models import Hold, HoldCause
from followups.pages.action_views import nothing_changed
from followups.pages.holds import HoldForm, ReasonForm, ReleaseForm
from followups.pages.page import FollowUpsPage
from followups.tasks import release_holds
from followups.wording import holds as wording
from trochai.accounts import access
from trochai.accounts.access import MemberRequest, get_for_member
from trochai.ui.toasts import say
from trochai.waking import waker

HOLDS = Hold.objects.select_related("organization", "channel", "by")


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def hold(request: MemberRequest) -> HttpResponse:
    """Ask what to hold and why; POST holds it."""
    access.admin(request.membership)
    page = FollowUpsPage(request, now=timezone.now())
    data = request.POST if request.method == "POST" else None
    form = HoldForm(data, organization=page.membership.organization, now=page.now)
    if form.is_valid():
        reason, by = form.cleaned_data["reason"], page.membership.user
        try:
            begun = people.begin(reason=reason, cause=HoldCause.MEMBER, by=by, now=page.now, **form.scope)
        except people.AlreadyHeld as refusal:
            form.add_error("what", str(refusal))
        else:
            return _done(
                page, wording.title(begun.scope, str(begun.channel or "")), _("Replies still go out.")
            )
    return _ask(page, "hold", form, url=reverse("followups:hold"))


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def reason(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask for another reason; POST gives it."""
    page = FollowUpsPage(request, now=timezone.now())
    held = get_for_member(request, HOLDS, pk, needs=access.admin)
    if held.released_at is not None:
        return _too_late(page)
    data = request.POST if request.method == "POST" else None
    form = ReasonForm(data, initial={"reason": held.reason})
    if form.is_valid():
        try:
            people.reword(held, reason=form.cleaned_data["reason"])
        except people.AlreadyReleased:
            return _too_late(page)
        return _done(page, _("Reason changed"))
    return _ask(page, "hold_reason", form, url=reverse("followups:hold_reason", args=[pk]))


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def release(request: MemberRequest, pk: int) -> HttpResponse:
    """Say what goes out, and ask what becomes of what is late; POST has it released."""
    page = FollowUpsPage(request, now=timezone.now())
    held = get_for_member(request, HOLDS, pk, needs=access.admin)
    if held.releasing_since is not None:
        return _too_late(page)
    data = request.POST if request.method == "POST" else None
    form = ReleaseForm(held, data, organization=page.membership.organization, now=page.now)
    if form.is_valid():
        try:
            releasing.ask_for_release(held, late=form.choice, by=page.membership.user, now=page.now)
        except people.AlreadyReleased:
            return _too_late(page)
        waker.wake(release_holds)
        return _done(page, _("Sending goes on"), _("What waits goes out in a moment."))
    said = {"title": wording.title(held.scope, str(held.channel or "")), "reason": wording.reason(held)}
    return _ask(page, "release_hold", form, url=reverse("followups:release_hold", args=[pk]), **said)


def _ask(page: FollowUpsPage, name: str, form: forms.Form, *, url: str, **context: Any) -> HttpResponse:
    """Show the form alone after an error, with the dialog around it at first, or as a page."""
    is_part = bool(page.request.htmx) and form.is_bound
    context |= {
        "section": "followups",
        "form": form,
        "form_url": url,
        "form_template": f"followups/_{name}_form.html",
        "dialog": bool(page.request.htmx),
        "here": page.way_back,
    }
    if is_part:
        template = f"followups/_{name}_form.html"
    else:
        template = "followups/_hold_dialog.html" if page.request.htmx else "followups/hold.html"
    response = render(page.request, template, context, status=422 if form.is_bound else 200)
    return reswap(retarget(response, "#hold-form"), "outerHTML") if is_part else response


def _done(page: FollowUpsPage, title: str, text: str = "") -> HttpResponse:
    """Show what is on hold by now, and say what happened."""
    response = _with_banners(page) if page.request.htmx else redirect(page.way_back)
    return say(page.request, response, title=title, text=text)


def _too_late(page: FollowUpsPage) -> HttpResponse:
    return nothing_changed(page, str(people.AlreadyReleased()), lambda: _with_banners(page))


def _with_banners(page: FollowUpsPage) -> HttpResponse:
    response = HttpResponse()
    if page.is_on_screen:
        # What its rows say by now the page asks by itself.
        context = {**page.banners_context(), "here": page.way_back, "oob": True}
        response = render(page.request, "followups/_stops.html", context)
    trigger_client_event(response, "dialog:close")
    return trigger_client_event(response, "followups:changed")
