"""Scheduling from a conversation: the dialog (or page), and its check while people choose."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from conversations.merging import find_conversation
from conversations.models import Conversation
from conversations.pages.template_views import CONVERSATIONS, begun, part_of
from followups import lifecycle
from followups.models import FollowUp
from followups.pages.action_views import check_role, not_possible
from followups.pages.banner import first_waiting, waiting_for
from followups.pages.forms import DuplicateForm, FirstDateForm, ScheduleForm, as_it_is
from followups.pages.page import FollowUpsPage
from followups.pages.schedule_words import warnings_for
from followups.policies import Action
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.ui import formatting, toasts


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def schedule(request: MemberRequest, conversation_id: int) -> HttpResponse:
    """The dialog for htmx, otherwise a page with the same form; POST schedules.

    ``?template=`` chooses a template, ``?q=`` searches for one; POST with ``choose`` does it without
    JavaScript, keeping what was typed.
    """
    if request.method == "POST" and "choose" not in request.POST:
        conversation = find_conversation(request, CONVERSATIONS, conversation_id, needs=access.writer)
        form = ScheduleForm(request.POST, conversation=conversation, now=timezone.now())
        return _submit(request, form)
    return schedule_for(request, conversation_id, **begun(request))


def schedule_for(request: MemberRequest, conversation_id: int, **chosen: Any) -> HttpResponse:
    """Show the form for the conversation; ``chosen`` is what somebody has begun to choose in it."""
    conversation = find_conversation(request, CONVERSATIONS, conversation_id, needs=access.writer)
    form = ScheduleForm(conversation=conversation, now=timezone.now(), **chosen)
    return part_of(request, form) or _show(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def duplicate(request: MemberRequest, pk: int) -> HttpResponse:
    """The same dialog for another one like a follow-up that there is; when is chosen anew."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.DUPLICATE)
    if answer := not_possible(page, follow_up, Action.DUPLICATE):
        return answer
    if request.method == "POST" and "choose" not in request.POST:
        return _submit(request, DuplicateForm(request.POST, follow_up=follow_up, now=page.now))
    form = DuplicateForm(follow_up=follow_up, now=page.now, **begun_with(request, follow_up))
    return part_of(request, form) or _show(request, form)


def begun_with(request: MemberRequest, follow_up: FollowUp) -> dict[str, Any]:
    """Return the arguments of a form for what is decided, and what somebody has begun to choose.

    The values are there for the follow-up's own template only.
    """
    chosen = begun(request)
    if request.method == "POST":
        return chosen
    other = chosen["initial"]["template"] not in {"", str(follow_up.template_id)}
    mine = {name: value for name, value in chosen["initial"].items() if value}
    return {**chosen, "initial": as_it_is(follow_up, with_values=not other) | mine}


@require_POST
def check(request: MemberRequest, conversation_id: int) -> HttpResponse:
    """Say when it will be sent, or what is wrong with the time, while people are still choosing.

    Where there is only a date to choose, what belongs beside it.
    """
    conversation = find_conversation(request, CONVERSATIONS, conversation_id, needs=access.writer)
    contact, organization = conversation.contact, conversation.organization
    form = FirstDateForm(request.POST, organization=organization, contact=contact, now=timezone.now())
    form.full_clean()
    form.forgive_unfinished()
    name = "_move_check" if request.htmx.target == "schedule-date" else "_schedule_check"
    warnings = warnings_for(conversation, form.scheduled_for)
    context = {"form": form, "conversation": conversation, "warnings": warnings, "oob": True}
    return render(request, f"followups/{name}.html", context)


def _submit(request: MemberRequest, form: ScheduleForm) -> HttpResponse:
    if not form.is_valid():
        return _show(request, form, status=422)
    submission = form.cleaned_data["submission"]
    try:
        follow_up = lifecycle.schedule(
            form.wanted, submission=submission, by=request.membership, now=form.now
        )
    except lifecycle.ScheduleRefused as refusal:
        form.show(refusal.problems)
        return _show(request, form, status=422)
    if not form.made(follow_up):
        form.refuse_reuse()
        return _show(request, form, status=422)
    return _scheduled(request, follow_up)


def schedule_instead(
    request: MemberRequest, conversation: Conversation, *, refusal: str, now: dt.datetime
) -> HttpResponse:
    """Offer to schedule what was typed for a follow-up that can no longer be changed; when is chosen anew."""
    typed = request.POST.copy()
    typed.pop("when", None)
    if "following" in typed:  # it is repeated as it was
        typed.pop("repeat", None)
    form = ScheduleForm(typed, conversation=conversation, now=now)
    form.full_clean()
    form.forgive_unfinished()
    return _show(request, form, status=409, refusal=refusal)


def _show(
    request: MemberRequest, form: ScheduleForm, status: int = 200, *, refusal: str = ""
) -> HttpResponse:
    """Render the form alone after an error, with the dialog around it at first, or as a page.

    ``refusal`` is why it is shown instead of what was asked for.
    """
    if not request.htmx:
        template = "followups/schedule.html"
    elif form.is_bound:
        template = "followups/_schedule_form.html"
    else:
        template = "followups/_schedule_dialog.html"
    first, more = first_waiting(waiting_for(form.conversation))
    context = {
        "form": form,
        "form_url": form.url,
        "conversation": form.conversation,
        "warnings": warnings_for(form.conversation, form.scheduled_for),
        "refusal": refusal,
        "waiting": first,
        "more": more,
        "dialog": bool(request.htmx),
        "section": "inbox",
    }
    return render(request, template, context, status=status)


def _scheduled(request: MemberRequest, follow_up: FollowUp) -> HttpResponse:
    if request.htmx:
        response = HttpResponse(status=204)
        trigger_client_event(response, "dialog:close")
        trigger_client_event(response, "followups:changed")
        trigger_client_event(response, "inbox:changed")
    else:
        response = redirect("conversations:conversation", follow_up.conversation_id)
    text = _("%(template)s goes to %(contact)s on %(day)s at %(time)s.") % {
        "template": follow_up.template.name,
        "contact": follow_up.conversation.contact.display_name,
        "day": formatting.day(follow_up.scheduled_for, timezone.now()),
        "time": formatting.clock_time(follow_up.scheduled_for),
    }
    return toasts.say(
        request,
        response,
        title=_("Follow-up scheduled"),
        text=text,
        url=f"{reverse('followups:index')}?status=pending",
        link=_("View"),
    )
