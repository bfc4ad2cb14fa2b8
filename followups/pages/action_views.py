"""Canceling, retrying, restoring and deleting one follow-up, and letting a stopped channel send again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from followups import lifecycle
from followups.models import FollowUp, HeldReason
from followups.pages.page import Changes, FollowUpsPage
from followups.pages.quiet import quiet_notice
from followups.pages.rows import outcome_is_unknown
from followups.policies import Action, allowed_actions, role_allows
from trochai.accounts import access
from trochai.accounts.access import MemberRequest, get_for_member
from trochai.accounts.models import Membership
from trochai.ui import formatting
from trochai.ui.toasts import say
from trochai.whatsapp import channels
from trochai.whatsapp.models import Channel


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
    warning=lambda f: _("%(contact)s won’t get %(template)s on %(when)s.") % words(f),
    button=gettext_lazy("Cancel follow-up"),
    icon="calendar-x",
    done=gettext_lazy("Follow-up canceled"),
    outcome=lambda f: _("%(contact)s won’t get %(template)s.") % words(f),
    is_destructive=True,
)
KEEP = Verb(
    action=Action.KEEP,
    change=lifecycle.keep,
    question=gettext_lazy("Keep this follow-up?"),
    warning=lambda f: (
        _("%(contact)s has written and will get %(template)s on %(when)s all the same.") % words(f)
    ),
    button=gettext_lazy("Keep"),
    icon="calendar-check",
    done=gettext_lazy("Follow-up kept"),
    outcome=lambda f: _("%(contact)s will get %(template)s on %(when)s.") % words(f),
)
RETRY = Verb(
    action=Action.RETRY,
    change=lifecycle.retry,
    question=gettext_lazy("Retry this follow-up?"),
    warning=lambda f: (
        _("It may have already arrived. %(contact)s could get %(template)s twice.") % words(f)
        if outcome_is_unknown(f)
        else _("%(contact)s will get %(template)s in 5 minutes.") % words(f)
    ),
    button=gettext_lazy("Retry"),
    icon="rotate-cw",
    done=gettext_lazy("Follow-up will be retried"),
    outcome=lambda f: warned(f, _("%(contact)s will get %(template)s at %(time)s.") % words(f)),
)
RESTORE = Verb(
    action=Action.RESTORE,
    change=lifecycle.restore,
    question=gettext_lazy("Restore this follow-up?"),
    warning=lambda f: _("%(contact)s will get %(template)s on %(when)s.") % words(f),
    button=gettext_lazy("Restore"),
    icon="undo-2",
    done=gettext_lazy("Follow-up restored"),
    outcome=lambda f: _("%(contact)s will get %(template)s on %(when)s.") % words(f),
)
RELEASE = Verb(
    action=Action.RELEASE,
    change=lifecycle.release,
    question=gettext_lazy("Release this follow-up?"),
    warning=lambda f: (
        _("It may have gone out before a backup was restored. %(contact)s could get %(template)s twice.")
        % words(f)
        if f.held_reason == HeldReason.RESTORED
        else _("%(contact)s may no longer have the number %(number)s. It will be sent there.") % words(f)
    ),
    button=gettext_lazy("Release"),
    icon="play",
    done=gettext_lazy("Follow-up released"),
    outcome=lambda f: _("%(contact)s will get %(template)s at its time.") % words(f),
)
DELETE = Verb(
    action=Action.DELETE,
    change=lifecycle.delete,
    question=gettext_lazy("Delete this follow-up?"),
    warning=lambda f: _("It leaves the list for everybody. This can’t be undone."),
    button=gettext_lazy("Delete"),
    icon="trash-2",
    done=gettext_lazy("Follow-up deleted"),
    outcome=lambda f: _("%(template)s to %(contact)s is no longer in the list.") % words(f),
    is_destructive=True,
)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, CANCEL)


@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, KEEP)


@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, RETRY)


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, RESTORE)


@require_http_methods(["GET", "HEAD", "POST"])
def release(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, RELEASE)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, DELETE)


@require_POST
def resume_channel(request: MemberRequest, pk: int) -> HttpResponse:
    """Let a stopped channel send again; if its trouble is not over, the next call stops it anew."""
    channel = get_for_member(request, Channel.objects, pk, needs=access.admin)
    channels.resume(channel.pk)
    response = redirect(FollowUpsPage(request, now=timezone.now()).way_back)
    text = _(
        "%(channel)s sends what is due within a minute. If WhatsApp still refuses, it stops again and says"
        " why here."
    ) % {"channel": channel.name}
    return say(request, response, title=_("Trying again"), text=text)


def _act(request: MemberRequest, pk: int, verb: Verb) -> HttpResponse:
    """GET asks, POST does it. A member whose role forbids it gets 403; one who comes too late, 409."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, verb.action)
    if request.method != "POST":
        return not_possible(page, follow_up, verb.action) or _ask(page, follow_up, verb)
    if verb is RETRY and outcome_is_unknown(follow_up) and "confirmed" not in request.POST:
        return _ask(page, follow_up, verb)
    chosen = {"following": True} if verb is CANCEL and request.POST.get("following") else {}
    try:
        changed = verb.change(follow_up, by=page.membership, now=page.now, **chosen)
    except lifecycle.TransitionRefused as refusal:
        return refused(page, pk, str(refusal))
    return done(page, pk, title=str(verb.done), text=verb.outcome(changed))


def check_role(page: FollowUpsPage, follow_up: FollowUp, action: Action) -> None:
    """Raise ``PermissionDenied`` if the member may not do it, whatever state the follow-up is in."""
    if not role_allows(page.membership, follow_up, action):
        raise PermissionDenied(_forbidden(page.membership, action))


def not_possible(page: FollowUpsPage, follow_up: FollowUp, action: Action) -> HttpResponse | None:
    """Return the answer to whoever asks for what the follow-up's state does not permit."""
    if action in allowed_actions(page.membership, follow_up, page.now):
        return None
    status = follow_up.get_status_display().lower()
    return refused(page, follow_up.pk, _("It is %(status)s now.") % {"status": status})


def done(page: FollowUpsPage, pk: int, *, title: str, text: str, undo_url: str = "") -> HttpResponse:
    """Show what has become of the row, and say what happened."""
    response = _swap_in(page, pk) if page.request.htmx else redirect(page.way_back)
    offered = _("Undo")
    return say(
        page.request, response, title=title, text=text, url=undo_url, link=offered, posts=bool(undo_url)
    )


def _forbidden(membership: Membership, action: Action) -> str:
    if not membership.can_write:
        return _("Viewers can look, but not change anything.")
    if action is Action.DELETE:
        return _("Only admins can delete follow-ups.")
    if action is Action.HAND_OVER:
        return _("Only admins can hand over follow-ups.")
    return _("Agents can change only the follow-ups they are in charge of.")


def words(follow_up: FollowUp) -> dict[str, str]:
    return {
        "contact": follow_up.conversation.contact.display_name,
        "number": follow_up.conversation.contact.display_phone,
        "template": follow_up.template.name,
        "when": formatting.long_day_time(follow_up.scheduled_for, timezone.now()),
        "time": formatting.clock_time(follow_up.scheduled_for),
    }


def warned(follow_up: FollowUp, text: str) -> str:
    """Return ``text``, and that it is night or a day off then where the contact is, if it is."""
    contact, organization = follow_up.conversation.contact, follow_up.organization
    notice = quiet_notice(
        follow_up.scheduled_for,
        contact,
        organization,
        timezone.now(),
        goes_anyway=follow_up.at_any_hour,
    )
    return f"{text} {notice}" if notice else text


def _ask(page: FollowUpsPage, follow_up: FollowUp, verb: Verb) -> HttpResponse:
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "verb": verb,
        "warning": verb.warning(follow_up),
        "action_url": reverse(f"followups:{verb.action}", args=[follow_up.pk]),
        "here": page.way_back,
    }
    if not page.request.htmx:
        return render(page.request, "followups/confirm.html", context)
    # Retargeted, because the form may have meant to swap something else and now has to ask first.
    response = render(page.request, "followups/_confirm.html", context)
    return reswap(retarget(response, "body"), "beforeend")


def refused(page: FollowUpsPage, pk: int, reason: str) -> HttpResponse:
    """Somebody or something was faster: say so, and show the row as it is by now."""
    return nothing_changed(page, reason, lambda: _swap_in(page, pk))


def nothing_changed(page: FollowUpsPage, reason: str, swap_in: Callable[[], HttpResponse]) -> HttpResponse:
    """Say so and why: to htmx beside what ``swap_in`` returns, else on a page of its own."""
    title = _("Nothing was changed")
    if not page.request.htmx:
        context = {"section": "followups", "title": title, "reason": reason, "here": page.way_back}
        return render(page.request, "followups/refused.html", context, status=409)
    response = swap_in()
    response.status_code = 409
    return say(page.request, response, title=title, text=reason, tone="error")


def _swap_in(page: FollowUpsPage, pk: int) -> HttpResponse:
    """Answer htmx with what has changed on the screen: the row and the tabs, or without the row the list."""
    response = HttpResponse()
    if page.is_on_screen:
        try:
            context = page.changes_context(Changes([page.row(page.find(pk))]))
            response = render(page.request, "followups/_changed_rows.html", context)
        except Http404:  # deleted: the next row moves up, or the list says that it is empty
            context = {**page.list_context(), "out_of_band": True}
            response = render(page.request, "followups/_filtered.html", context)
    trigger_client_event(response, "dialog:close")
    return trigger_client_event(response, "followups:changed")
