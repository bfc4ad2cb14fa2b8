"""Scheduling from a conversation: the dialog (or page), its check while people choose, the banner."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from conversations.merging import find_conversation
from conversations.models import Conversation
from followups import lifecycle
from followups.models import FollowUp, FollowUpQuerySet, Status
from followups.pages.forms import ScheduleForm, WhenForm
from followups.policies import Action, allowed_actions
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.paging import Count
from trochai.ui import formatting, toasts

CONVERSATIONS = Conversation.objects.select_related("contact", "channel", "organization").defer(
    "channel__access_token", "channel__app_secret", "channel__verify_token"
)
# A banner that shows a follow-up refreshes itself when that is due, but no sooner and no later than this
# many seconds from now.
LOOK_AGAIN = (10, 3600)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def schedule(request: MemberRequest, conversation_id: int) -> HttpResponse:
    """The dialog for htmx, otherwise a page with the same form; POST schedules.

    ``?template=`` chooses a template; POST with ``choose`` does it without JavaScript, keeping what was
    typed.
    """
    conversation = find_conversation(request, CONVERSATIONS, conversation_id, needs=access.writer)
    if request.method == "POST" and "choose" not in request.POST:
        return _submit(request, conversation)
    initial = request.POST.dict() or {"template": request.GET.get("template", "")}
    form = ScheduleForm(conversation=conversation, now=timezone.now(), initial=initial)
    if request.htmx.target == "schedule-fields":
        return render(request, "followups/_schedule_fields.html", {"form": form, "swapped": True})
    return _show(request, form)


@require_POST
def check(request: MemberRequest, conversation_id: int) -> HttpResponse:
    """Say when it will be sent, or what is wrong with the time, while people are still choosing."""
    conversation = find_conversation(request, CONVERSATIONS, conversation_id, needs=access.writer)
    form = WhenForm(request.POST, organization=conversation.organization, now=timezone.now())
    form.full_clean()
    form.forgive_unfinished()
    return render(
        request, "followups/_schedule_check.html", {"form": form, "conversation": conversation, "oob": True}
    )


@require_safe
def banner(request: MemberRequest, conversation_id: int) -> HttpResponse:
    """What is scheduled for this conversation: the next one, and how many more."""
    conversation = find_conversation(request, CONVERSATIONS, conversation_id)
    membership, now = request.membership, timezone.now()
    most = settings.FOLLOWUPS_MAX_WAITING
    waiting = list(_waiting(conversation).filter(conversation=conversation)[: most + 1])
    first = waiting[0] if waiting else None
    context = {
        "conversation": conversation,
        "follow_up": first,
        "more": Count.capped(len(waiting) - 1, most - 1),
        "can_cancel": first is not None and Action.CANCEL in allowed_actions(membership, first, now),
        "look_again": _look_again_after(waiting, now),
    }
    return render(request, "followups/_banner.html", context)


def _submit(request: MemberRequest, conversation: Conversation) -> HttpResponse:
    now = timezone.now()
    form = ScheduleForm(request.POST, conversation=conversation, now=now)
    if not form.is_valid():
        return _show(request, form, status=422)
    submission = form.cleaned_data["submission"]
    try:
        follow_up = lifecycle.schedule(form.wanted, submission=submission, by=request.membership, now=now)
    except lifecycle.ScheduleRefused as refusal:
        form.show(refusal.problems)
        return _show(request, form, status=422)
    if not form.made(follow_up):
        form.refuse_reuse()
        return _show(request, form, status=422)
    return _scheduled(request, follow_up)


def _show(request: MemberRequest, form: ScheduleForm, status: int = 200) -> HttpResponse:
    """Render the form alone after an error, with the dialog around it at first, or as a page."""
    if not request.htmx:
        template = "followups/schedule.html"
    elif form.is_bound:
        template = "followups/_schedule_form.html"
    else:
        template = "followups/_schedule_dialog.html"
    context = {
        "form": form,
        "conversation": form.conversation,
        "waiting": _waiting(form.conversation).first(),
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


def _waiting(conversation: Conversation) -> FollowUpQuerySet:
    """Return what is scheduled for the conversation's contact on any channel, soonest first."""
    rows = FollowUp.objects.for_organization(conversation.organization).select_related("template")
    return rows.filter(
        conversation__contact_id=conversation.contact_id, status__in=[Status.PENDING, Status.PROCESSING]
    ).order_by("scheduled_for", "pk")


def _look_again_after(waiting: list[FollowUp], now: dt.datetime) -> int | None:
    """Return the seconds until the first of them is due, within ``LOOK_AGAIN``; None if there are none."""
    due = [now if row.status == Status.PROCESSING else row.next_attempt_at or now for row in waiting]
    soonest, latest = LOOK_AGAIN
    return max(soonest, min(latest, int((min(due) - now).total_seconds()))) if due else None
