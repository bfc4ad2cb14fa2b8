"""Changing what is scheduled: another date in a small dialog, or all of it in the one that scheduled it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reswap, retarget

from conversations.outbox import ReplyRefused
from conversations.pages.local_time import times_there
from conversations.pages.template_views import part_of
from followups import lifecycle
from followups.models import ChangeKind, FollowUp, FollowUpChange
from followups.pages.action_views import check_role, done, not_possible, refused, warned, words
from followups.pages.forms import EditForm, MoveForm, ShownForm
from followups.pages.page import FollowUpsPage
from followups.pages.quiet import quiet_notice
from followups.pages.schedule_views import begun_with, schedule_instead
from followups.pages.schedule_words import warnings_for
from followups.policies import Action
from followups.tasks import send_due_follow_ups
from followups.wanted import CUSTOM
from followups.wording.refusals import Refusal
from trochai.accounts.access import MemberRequest
from trochai.waking import waker


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask for another moment, in a dialog or on a page; POST moves it there.

    POST with ``choose`` fills in the moment that is offered instead of a quiet one, without JavaScript.
    """
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.MOVE)
    if answer := not_possible(page, follow_up, Action.MOVE):
        return answer
    organization = page.membership.organization
    about: dict[str, Any] = {"follow_up": follow_up, "organization": organization, "now": page.now}
    if request.method == "POST" and "choose" not in request.POST:
        return _move(page, follow_up, MoveForm(request.POST, **about))
    local = follow_up.scheduled_for.astimezone(organization.zone)
    initial = {"when": CUSTOM, "date": local.date(), "time": local.time(), **request.POST.dict()}
    return _ask_when(page, follow_up, MoveForm(initial=initial, **about))


@require_POST
def undo_move(request: MemberRequest, pk: int) -> HttpResponse:
    """Undo the move that this member has just made; ``?version=`` is the row's since then."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.MOVE)
    form = ShownForm(request.GET)
    version = form.cleaned_data["version"] if form.is_valid() else None
    try:
        moved = lifecycle.undo_move(follow_up, version=version, by=page.membership, now=page.now)
    except lifecycle.TransitionRefused as refusal:
        return refused(page, pk, str(refusal))
    text = _("%(contact)s will get %(template)s on %(when)s.") % words(moved)
    return done(page, pk, title=_("Follow-up moved back"), text=text)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def edit(request: MemberRequest, pk: int) -> HttpResponse:
    """The dialog that scheduled it, or a page, with what is decided; POST changes it.

    ``?template=`` chooses a template as it does for scheduling.
    """
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.EDIT)
    if request.method == "POST" and "choose" not in request.POST:
        return _save(page, follow_up)
    if answer := not_possible(page, follow_up, Action.EDIT):
        return answer
    form = EditForm(follow_up=follow_up, now=page.now, **begun_with(request, follow_up))
    return part_of(request, form) or _show(page, form)


@require_POST
def check(request: MemberRequest, pk: int) -> HttpResponse:
    """Say what would be changed, and when it would be sent, while people are still editing."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.EDIT)
    form = EditForm(request.POST, follow_up=follow_up, now=page.now)
    form.full_clean()
    form.forgive_unfinished()
    warnings = warnings_for(form.conversation, form.scheduled_for)
    context = {"form": form, "conversation": form.conversation, "warnings": warnings, "oob": True}
    return render(request, "followups/_edit_check.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def send_now(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask once, with the message and the contact's local time; POST sends what waits."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.SEND_NOW)
    if answer := not_possible(page, follow_up, Action.SEND_NOW):
        return answer
    form = ShownForm(request.POST or None)
    version = form.cleaned_data["version"] if form.is_valid() else None
    try:
        if request.method != "POST":
            lifecycle.check_sendable(follow_up, now=page.now)
            return _ask_to_send(page, follow_up)
        sent = lifecycle.send_now(follow_up, version=version, by=page.membership, now=page.now)
    except (lifecycle.TransitionRefused, ReplyRefused) as refusal:
        return refused(page, pk, str(refusal))
    waker.wake(send_due_follow_ups)
    text = _("%(contact)s gets %(template)s in a moment.") % words(sent)
    return done(page, pk, title=_("Follow-up on its way"), text=text)


def _ask_to_send(page: FollowUpsPage, follow_up: FollowUp) -> HttpResponse:
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "conversation": follow_up.conversation,
        "rendered": follow_up.template.render(follow_up.parameters),
        "times_there": times_there(follow_up.conversation.contact, page.now),
        "quiet": quiet_notice(
            page.now,
            follow_up.conversation.contact,
            follow_up.organization,
            page.now,
            goes_anyway=True,
        ),
        "dialog": bool(page.request.htmx),
        "here": page.way_back,
    }
    name = "_send_now_dialog" if page.request.htmx else "send_now"
    return render(page.request, f"followups/{name}.html", context)


def _move(page: FollowUpsPage, follow_up: FollowUp, form: MoveForm) -> HttpResponse:
    if not form.is_valid():
        return _ask_when(page, follow_up, form)
    given = form.cleaned_data
    following = bool(page.request.POST.get("following"))
    wanted = {
        "choice": form.choice,
        "to": form.scheduled_for,
        "version": given["version"],
        "following": following,
    }
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
    undo = urlencode({"version": moved.version, "next": page.way_back})
    # All that follow are not moved back with it.
    undo_url = "" if following else f"{reverse('followups:undo_move', args=[moved.pk])}?{undo}"
    return done(page, moved.pk, title=_("Follow-up moved"), text=warned(moved, text), undo_url=undo_url)


def _save(page: FollowUpsPage, follow_up: FollowUp) -> HttpResponse:
    form = EditForm(page.request.POST, follow_up=follow_up, now=page.now)
    if not form.is_valid():
        return _show(page, form, status=422)
    version = form.cleaned_data["version"]
    try:
        edited = lifecycle.edit(
            follow_up,
            form.wanted,
            version=version,
            by=page.membership,
            now=page.now,
            following=form.is_of_all,
            series_version=form.cleaned_data["series_version"],
        )
    except lifecycle.ScheduleRefused as refusal:
        form.show(refusal.problems)
        return _show(page, form, status=422)
    except lifecycle.TransitionRefused as refusal:
        return _overtaken(page, follow_up, refusal)
    text = _("%(contact)s will get %(template)s on %(when)s.") % words(edited)
    # What the answer swaps in has its own places; the form has none.
    return reswap(done(page, edited.pk, title=_("Follow-up changed"), text=text), "none")


def _overtaken(
    page: FollowUpsPage, follow_up: FollowUp, refusal: lifecycle.TransitionRefused
) -> HttpResponse:
    """Somebody or something was faster; what was typed stays.

    A colleague's values are shown beside it. What waits no longer stays as it is, and the form schedules
    another one instead.
    """
    match refusal.code:
        case Refusal.GONE:
            return reswap(refused(page, follow_up.pk, str(refusal)), "none")
        case Refusal.CHANGED:
            form = EditForm(page.request.POST, follow_up=page.find(follow_up.pk), now=page.now)
            form.full_clean()
            return _show(page, form, status=409)
    return schedule_instead(page.request, follow_up.conversation, refusal=str(refusal), now=page.now)


def _show(page: FollowUpsPage, form: EditForm, *, status: int = 200) -> HttpResponse:
    """Render the form alone after an error, with the dialog around it at first, or as a page."""
    if not page.request.htmx:
        template = "followups/edit.html"
    elif form.is_bound:
        template = "followups/_edit_form.html"
    else:
        template = "followups/_edit_dialog.html"
    is_stale = status == 409
    follow_up, series = form.follow_up, form.follow_up.series
    context = {
        "section": "followups",
        "form": form,
        "form_url": form.url,
        "check_url": reverse("followups:check_edit", args=[follow_up.pk]),
        "follow_up": follow_up,
        "conversation": follow_up.conversation,
        "version": follow_up.version if is_stale else form["version"].value(),
        "series_version": series and series.version if is_stale else form["series_version"].value(),
        "changed": _last_change(form) if is_stale else None,
        "dialog": bool(page.request.htmx),
        "here": page.way_back,
    }
    return render(page.request, template, context, status=status)


def _last_change(form: EditForm) -> Mapping[str, Any] | None:
    """Return who has changed the row since it was shown, or else its series, and when."""
    follow_up, series = form.follow_up, form.follow_up.series
    changes = follow_up.changes.all()
    if series is not None and form.cleaned_data.get("version") == follow_up.version:
        if not series.is_live:
            return {"by": series.ended_by, "at": series.ended_at}
        changes = FollowUpChange.objects.filter(
            follow_up__series=series, kind__in=[ChangeKind.EDITED, ChangeKind.MOVED]
        )
    last = changes.select_related("by").order_by("pk").last()
    return {"by": last.by, "at": last.at} if last else None


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
