"""Changing many follow-ups: what is asked, the preview, and what became of it."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import reswap, trigger_client_event

from followups.bulk import job
from followups.bulk.actions import verb_of
from followups.bulk.preview import Examined, examine, preview
from followups.bulk.selection import Selection
from followups.models import BulkAction, BulkChange, BulkRefusal, FollowUp
from followups.pages.bulk_forms import ActionForm, SelectionForm, form_for
from followups.pages.page import FollowUpsPage
from followups.pages.progress import may_stop, progress_of
from followups.policies import may_change_many
from followups.scheduling import earliest, latest
from followups.tasks import change_many
from followups.wanted import Wanted
from followups.wording import bulk
from templates_app.models import Template
from trochai import changes, paging
from trochai.accounts import access
from trochai.accounts.access import MemberRequest, get_for_member
from trochai.accounts.models import User
from trochai.paging import Count, Order
from trochai.ui import formatting
from trochai.ui.toasts import say
from trochai.waking import waker

PAGE_SIZE = 50
ORDER = Order({"pk": int})


@dataclass(frozen=True)
class Example:
    """A row as the preview shows it: what it is, and what it would be."""

    contact: str
    before: str
    after: str


@changes.untold
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: MemberRequest, action: str) -> HttpResponse:
    """Ask what the action needs, then show what it would do; POST with ``confirmed`` does it.

    A reload, or a sign-in in between, comes without what was ticked and leads back to the list.
    """
    if action not in BulkAction.values:
        raise Http404
    access.writer(request.membership)
    if not may_change_many(request.membership, action):
        raise PermissionDenied(_("Only an admin can do this."))
    if request.method != "POST":
        return redirect("followups:index")
    page = FollowUpsPage(request, now=timezone.now())
    chosen = SelectionForm(request.POST, by=page.membership, now=page.now)
    selection = chosen.selection
    if selection is None:
        return _nothing_selected(page)
    submission = chosen.cleaned_data["submission"]
    if submission and "confirmed" in request.POST:
        return _begin(page, BulkAction(action), selection, submission)
    return _ask(page, BulkAction(action), selection)


@require_safe
def result(request: MemberRequest, pk: int) -> HttpResponse:
    """How far a bulk change is, or how it ended, with each row that it left as it was."""
    found = get_for_member(request, BulkChange.objects.select_related("by"), pk)
    refusals = BulkRefusal.objects.filter(bulk_change=found)
    shown = paging.page_of(
        refusals,
        ORDER,
        size=PAGE_SIZE,
        after=ORDER.parse(request.GET.get("after", "")),
        before=ORDER.parse(request.GET.get("before", "")),
        joined=lambda rows: rows.select_related("follow_up__conversation__contact"),
    )
    now = timezone.now()
    context = {
        "section": "followups",
        "change": found,
        "progress": progress_of(found, membership=request.membership, now=now),
        "order": bulk.counted(bulk.VERBS[found.action].order, Count(found.total or found.done), found.values),
        "result": bulk.result(found.action, found.changed, found.refused),
        "ending": bulk.ENDINGS.get(found.ending, ""),
        "refusals": [(each, bulk.refusal(each.code)) for each in shown.rows],
        "page": shown,
    }
    return render(request, "followups/bulk_result.html", context)


@changes.untold
@require_POST
def stop(request: MemberRequest, pk: int) -> HttpResponse:
    """Have it end soon; what has changed by then stays."""
    found = get_for_member(request, BulkChange.objects, pk, needs=access.writer)
    if not may_stop(request.membership, found):
        raise PermissionDenied(_("Only whoever began it and admins can stop it."))
    page = FollowUpsPage(request, now=timezone.now())
    job.request_stop(found, now=page.now)
    waker.wake(change_many)
    response = HttpResponse()
    if not request.htmx:
        response = redirect(page.way_back)
    elif page.is_on_screen:
        context = {**page.progress_context(), "oob": True}
        response = render(request, "followups/_progress.html", context)
    return say(request, response, title=_("Stopping"), text=_("What has changed by now stays."))


def _ask(page: FollowUpsPage, action: BulkAction, selection: Selection) -> HttpResponse:
    """Show what would be, or first ask for what the action needs."""
    request, organization = page.request, page.membership.organization
    examined = examine(selection, page.membership)
    if not examined.rows:
        return _nothing_selected(page)
    is_step = "step" in request.POST
    data = request.POST if is_step or action in {BulkAction.CANCEL, BulkAction.DELETE} else None
    form = form_for(
        action, data, organization=organization, selection=selection, rows=examined.rows, now=page.now
    )
    context = {
        "section": "followups",
        "action": action,
        "verb": bulk.VERBS[action],
        "selection": selection,
        "form": form,
        "examined": examined,
        "dialog": bool(request.htmx),
        "here": page.way_back,
    }
    is_ready = form.is_valid()
    if is_ready:
        context |= _preview_context(page, action, examined, form)
    else:
        context["title"] = bulk.counted(bulk.VERBS[action].button, examined.selected)
    name = "bulk" if not request.htmx else "_bulk_form" if is_step else "_bulk_dialog"
    status = 422 if is_step and not is_ready and _has_errors(form) else 200
    return render(request, f"followups/{name}.html", context, status=status)


def _preview_context(
    page: FollowUpsPage, action: BulkAction, examined: Examined, form: ActionForm
) -> dict[str, Any]:
    values = form.change_values
    wanted = BulkChange(organization=page.membership.organization, action=action, values=values)
    found = preview(examined, verb_of(wanted), by=page.membership, now=page.now)
    verb = bulk.VERBS[action]
    return {
        "preview": found,
        "title": bulk.counted(verb.order, examined.selected, values),
        "will": bulk.counted(verb.will, Count(found.changing)),
        "button": bulk.counted(verb.button, found.count),
        "waits": page.membership.organization.quiet_hours_are_a_rule,
        "reasons": [(reason, _reason(page, reason.code)) for reason in found.reasons],
        "examples": [_example(page, row, to) for row, to in found.first],
        "given": list(form.given),
        "submission": uuid.uuid4(),
        "is_destructive": action in {BulkAction.CANCEL, BulkAction.DELETE},
    }


def _begin(
    page: FollowUpsPage, action: BulkAction, selection: Selection, submission: uuid.UUID
) -> HttpResponse:
    """Begin what was previewed; what it needs is checked once more."""
    examined = Examined(Count(0), [])
    if action is BulkAction.TEMPLATE:
        examined = examine(selection, page.membership)
    form = form_for(
        action,
        page.request.POST,
        organization=page.membership.organization,
        selection=selection,
        rows=examined.rows,
        now=page.now,
    )
    if not form.is_valid():
        return _ask(page, action, selection)
    begun = job.begin(
        selection, action, form.change_values, submission=submission, by=page.membership, now=page.now
    )
    if begun.finished_at is None:
        waker.wake(change_many)
    return _begun(page, begun)


def _begun(page: FollowUpsPage, begun: BulkChange) -> HttpResponse:
    """Show the list as it is by now, and say what was done, or that it is being done."""
    request = page.request
    response: HttpResponse = redirect(page.way_back)
    if request.htmx:
        response = HttpResponse()
        if page.is_on_screen:
            context = {**page.list_context(), "out_of_band": True}
            response = render(request, "followups/_filtered.html", context)
        response = reswap(response, "none")
        trigger_client_event(response, "dialog:close")
        trigger_client_event(response, "selection:clear")
    url = reverse("followups:bulk_result", args=[begun.pk])
    if begun.finished_at is None:
        title = bulk.counted(bulk.VERBS[begun.action].running, Count(begun.total or begun.done), begun.values)
        text = _("You can leave this page: it goes on, and the bell tells you when it is done.")
        return say(request, response, title=title, text=text, url=url, link=_("See it"))
    title = bulk.result(begun.action, begun.changed, begun.refused)
    if not begun.refused:
        return say(request, response, title=title)
    tone = "ok" if begun.changed else "error"
    return say(request, response, title=title, tone=tone, url=url, link=_("See which"))


def _nothing_selected(page: FollowUpsPage) -> HttpResponse:
    title = _("Nothing is selected")
    text = _("Tick the follow-ups that you want to change.")
    if page.request.htmx:
        response = trigger_client_event(HttpResponse(status=409), "dialog:close")
        return say(page.request, reswap(response, "none"), title=title, text=text, tone="error")
    return say(page.request, redirect(page.way_back), title=title, text=text, tone="error")


def _has_errors(form: Any) -> bool:
    values_form = getattr(form, "values_form", None)
    return bool(form.errors or (values_form and values_form.errors))


def _reason(page: FollowUpsPage, code: str) -> str:
    """Return why rows would stay, with the date that would still do."""
    organization = page.membership.organization
    words = bulk.refusal(code)
    match code:
        case bulk.Refusal.TOO_SOON | bulk.Refusal.PAST:
            when = formatting.day_time(earliest(page.now, organization), page.now)
            return _("%(reason)s The earliest is %(when)s.") % {"reason": words, "when": when}
        case bulk.Refusal.TOO_LATE:
            when = formatting.day_time(latest(page.now, organization), page.now)
            return _("%(reason)s The latest is %(when)s.") % {"reason": words, "when": when}
    return words


def _example(page: FollowUpsPage, row: FollowUp, wanted: Any) -> Example:
    """Return what a row is, and what ``BulkVerb.wanted`` says that it would be."""
    when = formatting.day_time(row.scheduled_for, page.now)
    contact = row.conversation.contact.display_name
    match wanted:
        case dt.datetime():
            return Example(contact, when, formatting.day_time(wanted, page.now))
        case User():
            return Example(contact, str(row.in_charge or ""), str(wanted))
        case Wanted(template=Template() as template):
            return Example(contact, row.template.name, template.render(dict(wanted.parameters)).body)
    return Example(contact, row.template.name, when)
