"""Canceling, retrying, restoring and deleting one follow-up, and letting a stopped channel send again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from followups import lifecycle
from followups.models import FollowUp
from followups.pages import listing
from followups.pages.rows import outcome_is_unknown
from followups.pages.views import (
    filters_of,
    is_on_index,
    list_context,
    query_on_screen,
    row_of,
    tabs_for,
    way_back,
)
from followups.policies import Action, allowed_actions, role_allows
from trochai.accounts.access import MemberRequest, get_for_member, membership_of, require_admin
from trochai.accounts.models import Membership
from trochai.ui import formatting
from trochai.ui.toasts import say
from trochai.whatsapp import channels
from trochai.whatsapp.models import Channel

FOLLOW_UPS = listing.with_row(FollowUp.objects.visible())


@dataclass(frozen=True)
class Verb:
    """An action on one follow-up: what does it, what it asks before, and what it says after."""

    action: Action
    change: Callable[..., FollowUp]
    question: Promise
    warning: Callable[[FollowUp], str]
    button: Promise
    icon: str
    done: Promise
    outcome: Callable[[FollowUp], str]
    is_destructive: bool = False


CANCEL = Verb(
    action=Action.CANCEL,
    change=lifecycle.cancel,
    question=gettext_lazy("Cancel this follow-up?"),
    warning=lambda f: _("%(contact)s won’t get %(template)s on %(when)s.") % _words(f),
    button=gettext_lazy("Cancel follow-up"),
    icon="calendar-x",
    done=gettext_lazy("Follow-up canceled"),
    outcome=lambda f: _("%(contact)s won’t get %(template)s.") % _words(f),
    is_destructive=True,
)
RETRY = Verb(
    action=Action.RETRY,
    change=lifecycle.retry,
    question=gettext_lazy("Retry this follow-up?"),
    warning=lambda f: (
        _("It may have already arrived. %(contact)s could get %(template)s twice.") % _words(f)
        if outcome_is_unknown(f)
        else _("%(contact)s will get %(template)s in 5 minutes.") % _words(f)
    ),
    button=gettext_lazy("Retry"),
    icon="rotate-cw",
    done=gettext_lazy("Follow-up will be retried"),
    outcome=lambda f: _("%(contact)s will get %(template)s at %(time)s.") % _words(f),
)
RESTORE = Verb(
    action=Action.RESTORE,
    change=lifecycle.restore,
    question=gettext_lazy("Restore this follow-up?"),
    warning=lambda f: _("%(contact)s will get %(template)s on %(when)s.") % _words(f),
    button=gettext_lazy("Restore"),
    icon="undo-2",
    done=gettext_lazy("Follow-up restored"),
    outcome=lambda f: _("%(contact)s will get %(template)s on %(when)s.") % _words(f),
)
DELETE = Verb(
    action=Action.DELETE,
    change=lifecycle.delete,
    question=gettext_lazy("Delete this follow-up?"),
    warning=lambda f: _("It leaves the list for everybody. This can’t be undone."),
    button=gettext_lazy("Delete"),
    icon="trash-2",
    done=gettext_lazy("Follow-up deleted"),
    outcome=lambda f: _("%(template)s to %(contact)s is no longer in the list.") % _words(f),
    is_destructive=True,
)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, CANCEL)


@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, RETRY)


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, RESTORE)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, DELETE)


@require_POST
@require_admin
def resume_channel(request: MemberRequest, pk: int) -> HttpResponse:
    """Let a stopped channel send again; if its trouble is not over, the next call stops it anew."""
    channel = get_for_member(request, Channel.objects, pk)
    channels.resume(channel.pk)
    response = redirect(way_back(request))
    text = _("%(channel)s sends what is waiting within a minute.") % {"channel": channel.name}
    return say(request, response, title=_("Trying again"), text=text)


def _act(request: MemberRequest, pk: int, verb: Verb) -> HttpResponse:
    """GET asks, POST does it. A member whose role forbids it gets 403; one who comes too late, 409."""
    now = timezone.now()
    membership = membership_of(request)
    follow_up = get_for_member(request, FOLLOW_UPS, pk)
    if not role_allows(membership, follow_up, verb.action):
        raise PermissionDenied(_forbidden(membership, verb.action))
    if request.method != "POST":
        if verb.action not in allowed_actions(membership, follow_up, now):
            return _refused(
                request, pk, _("It is %(status)s now.") % {"status": follow_up.get_status_display().lower()}
            )
        return _ask(request, follow_up, verb)
    if verb is RETRY and outcome_is_unknown(follow_up) and "confirmed" not in request.POST:
        return _ask(request, follow_up, verb)
    try:
        changed = verb.change(follow_up, by=membership, now=now)
    except lifecycle.TransitionRefused as refusal:
        return _refused(request, pk, str(refusal))
    return say(request, _changed(request, pk), title=str(verb.done), text=verb.outcome(changed))


def _forbidden(membership: Membership, action: Action) -> str:
    if not membership.can_write:
        return _("Viewers can look, but not change anything.")
    if action is Action.DELETE:
        return _("Only admins can delete follow-ups.")
    return _("Agents can change only the follow-ups they scheduled themselves.")


def _words(follow_up: FollowUp) -> dict[str, str]:
    return {
        "contact": follow_up.conversation.contact.display_name,
        "template": follow_up.template.name,
        "when": formatting.long_day_time(follow_up.scheduled_for, timezone.now()),
        "time": formatting.clock_time(follow_up.scheduled_for),
    }


def _ask(request: MemberRequest, follow_up: FollowUp, verb: Verb) -> HttpResponse:
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "verb": verb,
        "warning": verb.warning(follow_up),
        "action_url": reverse(f"followups:{verb.action}", args=[follow_up.pk]),
        "here": way_back(request),
    }
    if not request.htmx:
        return render(request, "followups/confirm.html", context)
    # Also where a form that was to swap something else learns that it must ask first.
    response = render(request, "followups/_confirm.html", context)
    return reswap(retarget(response, "body"), "beforeend")


def _refused(request: MemberRequest, pk: int, reason: str) -> HttpResponse:
    """Somebody or something was faster: say so, and show the row as it is by now."""
    title = _("Nothing was changed")
    if not request.htmx:
        context = {"section": "followups", "title": title, "reason": reason, "here": way_back(request)}
        return render(request, "followups/refused.html", context, status=409)
    response = _changed(request, pk)
    response.status_code = 409
    return say(request, response, title=title, text=reason, tone="error")


def _changed(request: MemberRequest, pk: int) -> HttpResponse:
    """Answer what changed: back to the list, or for htmx whatever of it is on the screen."""
    if not request.htmx:
        return redirect(way_back(request))
    now = timezone.now()
    response = HttpResponse()
    if is_on_index(request):
        follow_up = FOLLOW_UPS.for_organization(membership_of(request).organization).filter(pk=pk).first()
        if follow_up is None:  # deleted: the next row moves up, or the list says that it is empty
            context = {**list_context(request, query_on_screen(request), now), "out_of_band": True}
            response = render(request, "followups/_filtered.html", context)
        else:
            tabs = tabs_for(request, filters_of(request, query_on_screen(request))[0])
            context = {"row": row_of(request, follow_up, now), "here": way_back(request), **tabs}
            response = render(request, "followups/_changed_row.html", context)
    trigger_client_event(response, "dialog:close")
    trigger_client_event(response, "followups:changed")
    return response
