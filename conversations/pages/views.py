"""The inbox: every response is the whole page, or for htmx the inside of ``#inbox`` (js/keyed-swap.js)."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap

from conversations import (
    consent,
    identity,
    internal_notes,
    merging,
    notices,
    outbox,
    presence,
    saved_replies,
    triage,
    window,
)
from conversations.media import unsent, uploads
from conversations.models import Conversation, ConversationStatus, Message, OptOutSource, Tag
from conversations.pages import listing, sheet, thread
from conversations.pages.above_list import above_list
from conversations.pages.banners import banners_of
from conversations.pages.forms import ContactForm, NoteForm, ReplyForm, TagForm, TriageForm, assignable
from conversations.pages.listing import Filters, Listing, Sheet, tags_of
from conversations.sending import queue
from conversations.sidebar import Sidebar
from trochai import changes
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.clock import database_now
from trochai.prepared import Prepared
from trochai.search import typed
from trochai.ui import formatting, toasts
from trochai.ui.addresses import path_on_screen

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from trochai.accounts.models import Membership
    from trochai.paging import Cursor

# The parts that change by themselves, as the banners do: if none has, a poll is answered with 204.
LIVE = ("tag_menu", "chips", "rows", "toolbar", "tags", "messages")


@require_GET
def inbox(request: MemberRequest) -> HttpResponse:
    version = _version(request)
    return _page(request, None, version=version, told=changes.told(version, changes.INBOX), is_load=True)


@require_GET
def conversation(request: MemberRequest, pk: int) -> HttpResponse:
    """Show one conversation; once somebody who may reply has opened it, its messages count as read.

    An open page in which somebody reads further up says ``away``: what comes in below is not seen yet.
    """
    version = _version(request, pk)
    return _open(request, pk, version=version, told=changes.told(version, changes.INBOX), is_load=True)


def _open(
    request: MemberRequest, pk: int, *, version: str, told: str = "", is_load: bool = False
) -> HttpResponse:
    opened = _find(request, pk)
    if opened.pk != pk and not request.htmx:
        return redirect("conversations:conversation", pk=opened.pk)
    unread = opened.unread_count
    if unread and request.membership.can_write and "away" not in request.GET:
        triage.mark_read(opened)
        told = ""  # the list that others have drawn shows it as unread
    return _page(request, opened, version=version, unread=unread, told=told, is_load=is_load)


@require_GET
def poll(request: MemberRequest) -> HttpResponse:
    """Answer an open page with what has changed (204: nothing); ``open`` is the conversation it shows.

    If it asks because something has changed, so do its colleagues' pages.
    """
    _looks, _dot, seen = request.GET.get("v", "").partition(".")
    opened = request.GET.get("open", "")
    pk = int(opened) if opened.isdecimal() and len(opened) < 100 else None
    version = _version(request, pk)
    if seen and seen == version:
        return HttpResponse(status=204)
    told = changes.told(version, changes.INBOX)
    if not seen or told == changes.told(seen, changes.INBOX):
        told = ""
    elif moment := changes.moment(request.GET.get("moment", "")):
        told = moment
    if pk is None:
        return _page(request, None, version=version, told=told)
    try:
        return _open(request, pk, version=version, told=told)
    except merging.Erased:
        # Nothing of it may stay on the screen.
        return HttpResponseClientRedirect(reverse("conversations:inbox"))


@require_GET
def older(request: MemberRequest) -> HttpResponse:
    """The page of the list after the ``before`` cursor, for its end; ``shown`` rows are there already."""
    query, shown = Filters.of(request.GET), request.GET.get("shown", "")
    if query.before is None:
        raise Http404
    above = int(shown) if re.fullmatch("[0-9]{1,6}", shown) else 0
    found = listing.older(request.membership, query, above=above)
    # Where nothing is left there, the first page would come.
    rows = found if found.query.before else replace(found, rows=[], older=None)
    context = {
        "listing": rows,
        "query": found.query,
        "here": _path_of_page(request),
        "conversation": None,
    }
    return render(request, "conversations/_older.html", context)


def _path_of_page(request: MemberRequest) -> str:
    """Return the address of the inbox that asks, with the conversation that is open in it."""
    inbox, path = reverse("conversations:inbox"), path_on_screen(request.htmx).partition("?")[0]
    return path if path.startswith(inbox) else inbox


@require_GET
def earlier(request: MemberRequest, pk: int) -> HttpResponse:
    """The page of messages before the ``to`` cursor, for the top of the thread."""
    cursor = thread.ORDER.parse(request.GET.get("to", ""))
    if cursor is None:
        raise Http404
    opened = _find(request, pk)
    page = thread.before(opened, cursor)
    context = {
        "conversation": opened,
        "thread": page,
        "can_write": request.membership.can_write,
        "window_open": window.is_open(opened, timezone.now()),
    }
    return render(request, "conversations/_earlier.html", context)


@require_POST
def reply(request: MemberRequest, pk: int) -> HttpResponse:
    opened, form = _find(request, pk, needs=access.writer), ReplyForm(request.POST)
    if not form.is_valid():
        return _page(request, opened, form=form, status=422)
    try:
        said = {
            "conversation": opened,
            "text": form.cleaned_data["text"],
            "by": request.membership.user,
            "now": timezone.now(),
            "uuid": form.cleaned_data["uuid"] or uuid.uuid4(),
        }
        if form.cleaned_data["attached"]:
            outbox.send_files(uploads=form.cleaned_data["attached"], **said)
        else:
            outbox.send_reply(**said)
    except outbox.ReplyRefused as refusal:
        form.add_error("text", str(refusal))
        return _page(request, opened, form=form, status=422)
    return _done(request, opened, sent=True)


@require_POST
def note(request: MemberRequest, pk: int) -> HttpResponse:
    """Write a note for the team; nothing is sent."""
    opened, form = _find(request, pk, needs=access.writer), NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, opened, note_form=form, status=422)
    internal_notes.add(
        opened,
        text=form.cleaned_data["text"],
        by=request.membership.user,
        now=timezone.now(),
        uuid=form.cleaned_data["uuid"] or uuid.uuid4(),
    )
    return _done(request, opened, noted=True)


@require_POST
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    """Send a failed message again, as a new one; ``anyway`` also one that may have arrived."""
    message = _find_message(request, pk)
    anyway = "anyway" in request.POST
    try:
        outbox.retry_reply(message, by=request.membership.user, now=timezone.now(), anyway=anyway)
    except outbox.MayHaveArrived as question:
        context = {"message": message, "question": str(question), "section": "inbox"}
        return render(request, "conversations/retry.html", context, status=409)
    except outbox.ReplyRefused as refusal:
        response = _done(request, message.conversation)
        return toasts.say(request, response, title=_("Not sent"), text=str(refusal), tone="error")
    return _done(request, message.conversation)


@require_POST
def update(request: MemberRequest, pk: int) -> HttpResponse:
    """Set the status, the assignee, or both."""
    opened = _find(request, pk, needs=access.writer)
    form = TriageForm(opened, request.POST)
    if not form.is_valid():
        response = _done(request, opened)
        return toasts.say(
            request, response, title=_("Not changed"), text=_("Choose one of the list."), tone="error"
        )
    said = []
    if form.cleaned_data["status"] and form.cleaned_data["status"] != opened.status:
        triage.set_status(opened, status=ConversationStatus(form.cleaned_data["status"]))
        said.append(_("Marked as %(status)s") % {"status": opened.get_status_display().lower()})
    if "assignee" in request.POST and form.cleaned_data["assignee"] != opened.assignee:
        to, by = form.cleaned_data["assignee"], request.membership.user
        triage.assign(opened, to=to, by=by, now=timezone.now())
        said.append(_("Assigned to %(name)s") % {"name": opened.assignee or _("nobody")})
    response = _done(request, opened)
    return toasts.say(request, response, title=" · ".join(said)) if said else response


@require_POST
def contact(request: MemberRequest, pk: int) -> HttpResponse:
    """Change what the team calls the contact (``name``), or where they are (``timezone``)."""
    opened = _find(request, pk, needs=access.writer)
    form = ContactForm(request.POST)
    if not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return toasts.say(request, _done(request, opened), title=_("Not changed"), text=words, tone="error")
    if "name" in form.data and form.cleaned_data["name"] != opened.contact.name:
        identity.rename(opened.contact, form.cleaned_data["name"])
    if "timezone" in form.data:
        identity.locate(opened.contact, form.cleaned_data["timezone"])
    return _done(request, opened)


@require_POST
def wants(request: MemberRequest, pk: int) -> HttpResponse:
    """Note that the contact wants no more messages (``messages`` is "no"), or wants them again ("yes")."""
    opened, now, by = _find(request, pk, needs=access.writer), timezone.now(), request.membership.user
    said, is_news = request.POST.get("messages", ""), False
    with transaction.atomic():
        if said == "yes":
            is_news = consent.opt_in(opened.contact, at=now)
        elif said == "no":
            is_news = consent.opt_out(opened.contact, at=now, source=OptOutSource.MEMBER, by=by, now=now)
        if is_news:
            notices.write_consent(opened, wants=said == "yes", by=by, now=now)
    return _done(request, opened)


@changes.untold
@require_POST
def writing(request: MemberRequest, pk: int) -> HttpResponse:
    """The member writes something in the conversation."""
    opened = _find(request, pk, needs=access.writer)
    presence.writes(opened, request.membership.user, now=timezone.now())
    return HttpResponse(status=204)


@require_GET
def saved(request: MemberRequest, pk: int) -> HttpResponse:
    """The saved replies with the words ``q``, filled in for this conversation's contact."""
    opened = _find(request, pk, needs=access.writer)
    query = typed(request.GET.get("q", ""), most=listing.SEARCH_LENGTH)
    replies = saved_replies.found(request.membership.organization, query)
    context = {
        "conversation": opened,
        "query": query,
        "replies": [(each, saved_replies.filled(each.text, opened.contact)) for each in replies],
        "can_manage": request.membership.is_admin,
    }
    return render(request, "conversations/_saved_hits.html", context)


@require_POST
def unread(request: MemberRequest, pk: int) -> HttpResponse:
    """Mark it as unread, and leave it: who looks at it reads it."""
    triage.mark_unread(_find(request, pk, needs=access.writer))
    response = redirect("conversations:inbox")
    return HttpResponseClientRedirect(response["Location"]) if request.htmx else response


@require_POST
def tag(request: MemberRequest, pk: int) -> HttpResponse:
    """Put a tag on the conversation (``add``) or take one off (``remove``)."""
    opened = _find(request, pk, needs=access.writer)
    form = TagForm(opened, request.POST)
    if form.is_valid():
        triage.tag(opened, **form.cleaned_data)
        return _done(request, opened)
    response = _done(request, opened)
    words = _("It was deleted a moment ago.")
    return toasts.say(request, response, title=_("Not changed"), text=words, tone="error")


def _find(
    request: MemberRequest, pk: int, *, needs: Callable[[Membership], None] | None = None
) -> Conversation:
    rows = Conversation.objects.select_related("contact", "channel", "assignee")
    return merging.find_conversation(request, rows, pk, needs=needs)


def _find_message(request: MemberRequest, pk: int) -> Message:
    try:
        message = Message.objects.get(pk=pk)
    except (Message.DoesNotExist, OverflowError) as error:
        raise Http404 from error
    message.conversation = _find(request, message.conversation_id, needs=access.writer)
    return message


def _done(
    request: MemberRequest, opened: Conversation, *, sent: bool = False, noted: bool = False
) -> HttpResponse:
    """Respond to a change: to htmx with the inbox as it is now, otherwise with a redirect to it.

    ``sent``, ``noted``: the composer's text has gone out, or the note's, so that field is emptied.
    """
    if sent or noted:
        presence.stops(opened, request.membership.user, now=timezone.now())
    if request.htmx:
        version = _version(request, opened.pk)
        return _page(request, _find(request, opened.pk), sent=sent, noted=noted, version=version)
    # What the form's address says of the page: without a script it is all that does.
    return redirect(reverse("conversations:conversation", args=[opened.pk]) + str(Filters.of(request.GET)))


def _page(
    request: MemberRequest,
    opened: Conversation | None,
    *,
    form: ReplyForm | None = None,
    note_form: NoteForm | None = None,
    sent: bool = False,
    noted: bool = False,
    status: int = 200,
    version: str = "",
    unread: int = 0,
    told: str = "",
    is_load: bool = False,
) -> HttpResponse:
    """``version``: of what is shown (trochai.changes); without it the next poll looks for itself.

    ``unread``: how many of the contact's messages nobody had read when the conversation was opened.
    ``told``: for ``listing``. ``is_load``: whether somebody has come here, and may see what is kept.
    """
    now = timezone.now()
    data = request.POST if request.method == "POST" else request.GET
    as_of = changes.told(version, changes.INBOX)
    found = listing.listing(request.membership, Filters.of(data), told=told, as_of=as_of)
    if found.as_of != as_of:
        # What came after it is told in a moment, and must be asked for then.
        version = changes.as_of(version, found.as_of)
    here = (
        reverse("conversations:conversation", args=[opened.pk]) if opened else reverse("conversations:inbox")
    )
    context: dict[str, Any] = {
        "section": "inbox",
        "conversation": opened,
        "listing": found,
        "query": found.query,
        "here": here,
        "membership": request.membership,
        "sidebar": Sidebar(request.membership, request.memberships, unread=found.unread, is_load=is_load),
        "can_write": request.membership.can_write,
        "can_manage_tags": request.membership.is_admin,
        "thread": None,
    }
    if opened:
        context["conversation_tags"] = _tags(opened, found)
        context |= _opened(request, opened, now=now, data=data, unread=unread)
        context |= {"form": form, "fresh_composer": sent or form is not None}
        context |= {"note_form": note_form, "fresh_note": noted or note_form is not None}
        if form is not None:
            ids, by = form.cleaned_data.get("attached", []), request.membership.user
            context["uploads"] = uploads.again(ids, conversation=opened, by=by)
    # Those in Jinja come as plain text, escaped all the same. Without the request they have no form's token,
    # which would be another one each time.
    live: dict[str, str] = {
        name: SafeString(render_to_string(f"conversations/_{name}.html", context)) for name in LIVE
    }
    live["above_list"] = above_list(request.membership, found.query, now, told=as_of if is_load else "")
    live["banners"] = _banners(request, opened, context["thread"], now) if opened else ""
    live["writing"] = _writing(request, opened, now) if opened else ""
    if opened and found.query.sheet:
        live |= _sheet(request, opened, context, now)
    if opened and context["thread"].is_sending:
        version = ""  # where no worker runs, it is a look that finds that out
    looks = blake2b("".join(live.values()).encode(), digest_size=8).hexdigest()
    context |= {"live": live, "version": f"{looks}.{version}"}
    if request.method == "GET" and data.get("v", "").partition(".")[0] == looks:
        return _as_it_was(request, context)
    fragment = request.htmx and not request.htmx.history_restore_request
    name = "conversations/_inbox.html" if fragment else "conversations/inbox.html"
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    if request.htmx.trigger == "search":
        response["HX-Replace-Url"] = f"{here}{found.query}"
    return response


def _version(request: MemberRequest, pk: int | None = None) -> str:
    """Return what stays the same while nothing on the page changes; ``pk``: the conversation that is open."""
    now = timezone.now()
    version = changes.version(request.membership, changes.INBOX, now=now)
    if not version or pk is None:
        return version
    writing = presence.writing(pk, but=request.membership.user, now=now)
    return "-".join([version, *writing])


def _as_it_was(request: MemberRequest, context: dict[str, Any]) -> HttpResponse:
    """Say that nothing on the page has changed, though something else has since it was drawn."""
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return reswap(render(request, "parts/_version.html", {**context, "oob": True}), "none")


def _banners(
    request: MemberRequest, opened: Conversation, shown: thread.Thread, now: dt.datetime
) -> SafeString:
    # Further up, what was said last is not known.
    standby = shown.is_in_standby and "to" not in request.GET
    own = render_to_string("conversations/_standby.html") if standby else ""
    return SafeString(own) + banners_of(request, opened, now)


def _writing(request: MemberRequest, opened: Conversation, now: dt.datetime) -> SafeString:
    names = presence.writing(opened.pk, but=request.membership.user, now=now)
    context = {"conversation": opened, "names": names, "lasts": presence.LASTS}
    return SafeString(render_to_string("conversations/_writing.html", context))


def _sheet(
    request: MemberRequest, opened: Conversation, context: dict[str, Any], now: dt.datetime
) -> dict[str, str]:
    """Return what changes by itself in the sheet: what stands above the field for a note, and below."""
    if context["query"].sheet is Sheet.FILES:
        shown: dict[str, Any] = {"files": sheet.all_files(opened)}
        parts = ["sheet_files"]
    else:
        shown = {"sheet": sheet.contact_sheet(request, opened, now)}
        parts = ["sheet_contact", "sheet_notes", "sheet_media"]
    shown["is_admin"] = request.membership.is_admin
    return {
        name: SafeString(render_to_string(f"conversations/_{name}.html", context | shown)) for name in parts
    }


def _opened(
    request: MemberRequest, opened: Conversation, *, now: dt.datetime, data: Any, unread: int
) -> dict[str, Any]:
    to = thread.ORDER.parse(request.GET.get("to", ""))
    is_open_already = data.get("open") == str(opened.pk)
    since = thread.ORDER.parse(data.get("since", "")) if is_open_already else None
    shown = _thread(opened, to=to, since=since)
    closes_at, opted_out_at = window.closes_at(opened), opened.contact.opted_out_at
    return {
        "thread": shown,
        # It stays where it was until the conversation is left.
        "unread_line": (
            thread.UnreadLine.parse(data.get("line", "")) if is_open_already else shown.unread_line(unread)
        ),
        "reading_back": to is not None,
        "window_closes_at": formatting.long_day_time(closes_at, now) if closes_at else "",
        "window_open": window.is_open(opened, now),
        "window_soon": window.closes_soon(opened, now),
        "window_left": formatting.short_duration(closes_at - now) if closes_at else "",
        "opted_out_on": formatting.day(opted_out_at, now) if opted_out_at else "",
        "submission": uuid.uuid4(),
        "note_submission": uuid.uuid4(),
        "sheet_submission": uuid.uuid4(),
        "statuses": ConversationStatus.choices,
        "people": _people(opened) if request.membership.can_write else [],
    }


def _thread(opened: Conversation, *, to: Cursor | None, since: Cursor | None) -> thread.Thread:
    def read() -> thread.Thread:
        return thread.before(opened, to) if to else thread.latest(opened, since=since)

    found = read()
    # Where no worker runs, whoever looks sees to it that nobody waits for what will not be sent.
    if found.is_sending:
        now = database_now()
        if queue.fail_unbegun(now=now) + unsent.give_up(now=now):
            return read()
    return found


def _tags(opened: Conversation, found: Listing) -> list[Tag]:
    listed = next((row for row in found.rows if row.pk == opened.pk), None)
    return listed.tags if listed else tags_of([opened], found.tags)[opened.pk]


_ASSIGNABLE = Prepared(lambda *, organization: assignable(Conversation(organization_id=organization)))


def _people(opened: Conversation) -> list[Any]:
    people = _ASSIGNABLE.rows(organization=opened.organization_id)
    if opened.assignee and opened.assignee not in people:
        people.append(opened.assignee)
    return people
