"""What needs attention: the page, the rows of a group, and keeping what somebody has looked at."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reswap, trigger_client_event

from followups.attention import keeping
from followups.models import Attention, AttentionQuerySet
from followups.pages.action_views import check_role
from followups.pages.attention import AttentionPage
from followups.pages.attention_groups import GroupKey
from followups.policies import Action
from trochai.accounts import access
from trochai.accounts.access import MemberRequest, get_for_member
from trochai.ui.toasts import say


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The groups; ``open`` names those whose rows are shown.

    An open page asks with the version ``v`` of what it shows.
    """
    access.writer(request.membership)
    is_part = request.htmx and not request.htmx.history_restore_request
    page = AttentionPage(request, now=timezone.now(), is_load=not is_part)
    if is_part and page.version and request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    return render(request, f"followups/{'_attention' if is_part else 'attention'}.html", page.context())


@require_safe
def rows(request: MemberRequest) -> HttpResponse:
    """The inside of the one group that ``open`` names."""
    access.writer(request.membership)
    context = AttentionPage(request, now=timezone.now()).open_context()
    if context is None:
        raise Http404
    return render(request, "followups/_attention_rows.html", context, using="jinja2")


@require_POST
def keep(request: MemberRequest) -> HttpResponse:
    """Have all of a group go out as it is: nobody is asked again, until what is wrong with one changes."""
    access.writer(request.membership)
    page = AttentionPage(request, now=timezone.now())
    key = GroupKey.parse(request.POST.get("attention", ""))
    if key is None:
        raise Http404
    return _keep(page, key.attention(page.membership))


@require_POST
def keep_one(request: MemberRequest, pk: int) -> HttpResponse:
    """Have one go out as it is."""
    found = get_for_member(request, Attention.objects.select_related("follow_up"), pk)
    page = AttentionPage(request, now=timezone.now())
    check_role(page, found.follow_up, Action.KEEP)
    return _keep(page, Attention.objects.filter(pk=found.pk))


@require_POST
def ask_again(request: MemberRequest) -> HttpResponse:
    """Undo what this member has kept at the moment ``at``."""
    access.writer(request.membership)
    page = AttentionPage(request, now=timezone.now())
    try:
        at = dt.datetime.fromisoformat(request.GET.get("at", ""))
    except ValueError:
        raise Http404 from None
    if at.tzinfo is None:
        raise Http404
    kept = Attention.objects.filter(organization=page.membership.organization)
    kept.filter(kept_by=page.membership.user, kept_at=at).update(kept_at=None, kept_by=None)
    return say(request, _changed(page), title=_("Needs attention again"))


def _keep(page: AttentionPage, rows: AttentionQuerySet) -> HttpResponse:
    number = keeping.keep(rows, by=page.membership.user, now=page.now)
    if not number:
        return say(page.request, _changed(page), title=_("Nothing was changed"), tone="error")
    title = ngettext("%(count)s follow-up kept", "%(count)s follow-ups kept", number) % {
        "count": f"{number:,}"
    }
    undo = urlencode({"at": page.now.isoformat(), "next": page.way_back})
    return say(
        page.request,
        _changed(page),
        title=title,
        text=_("It is asked again when what is wrong changes."),
        url=f"{reverse('followups:attention_ask_again')}?{undo}",
        link=_("Undo"),
        posts=True,
    )


def _changed(page: AttentionPage) -> HttpResponse:
    """Have an open page ask what is different by now; without JavaScript, go back to it."""
    if not page.request.htmx:
        return redirect(page.way_back)
    return trigger_client_event(reswap(HttpResponse(), "none"), "followups:changed")
