"""Where one can go from any page by a few letters: conversations, lists, pages, and what keys do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from conversations.models import Conversation, Tag
from conversations.pages.listing import ORDER, SEARCH_LENGTH, Filters, Tab
from trochai.accounts.access import MemberRequest
from trochai.accounts.models import Membership
from trochai.search import fold, typed

MOST_CONVERSATIONS = 6
MOST_PLACES = 8


@dataclass(frozen=True)
class Place:
    """``key`` is pressed where there is no ``url``: the page that is open has something for it, or not."""

    label: str
    icon: str
    url: str = ""
    key: str = ""


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def go(request: MemberRequest) -> HttpResponse:
    """The palette, or for its field what was found by ``q``."""
    query = typed(request.GET.get("q", ""), most=SEARCH_LENGTH)
    if not request.htmx:
        return redirect(f"{reverse('conversations:inbox')}{Filters(search=query)}")
    rows = Conversation.objects.for_organization(request.membership.organization).current()
    found = rows.search(query) if query else rows.listed()
    shown = ORDER.sort(found.select_related("contact"))[:MOST_CONVERSATIONS]
    wanted = fold(query)
    places = [place for place in _places(request.membership) if wanted in fold(place.label)]
    acts, leads = [place for place in places if place.key], [place for place in places if place.url]
    context = {
        "conversations": shown,
        "places": [*acts, *leads[:MOST_PLACES]],
        "query": query,
        "in_messages": f"{reverse('conversations:inbox')}{Filters(search=query)}",
    }
    name = "_palette_hits" if request.htmx.target == "hits" else "_palette"
    return render(request, f"conversations/{name}.html", context)


def _places(membership: Membership) -> Iterator[Place]:
    inbox = reverse("conversations:inbox")
    if membership.can_write:
        yield Place(_("Reply"), "reply", key="r")
        yield Place(_("Note"), "sticky-note", key="n")
        yield Place(_("Follow-up"), "calendar-clock", key="f")
        yield Place(_("Send template"), "message-square-text", key="t")
        yield Place(_("Assign to me"), "user-round", key="m")
        yield Place(_("Close or reopen"), "check", key="e")
        yield Place(_("Mark as unread"), "mail", key="u")
        yield Place(_("Start a conversation"), "square-pen", reverse("conversations:start"))
    yield Place(_("Contact details"), "panel-right", key="i")
    for tab in Tab:
        yield Place(_("Inbox: %(list)s") % {"list": tab.label}, "inbox", f"{inbox}{Filters(tab=tab)}")
    for tag in Tag.objects.for_organization(membership.organization):
        yield Place(_("Tag: %(name)s") % {"name": tag.name}, "tag", f"{inbox}{Filters(tags=(tag.pk,))}")
    if membership.is_admin:
        yield Place(_("Tags"), "tag", reverse("conversations:tags"))
        yield Place(_("Saved replies"), "text-quote", reverse("conversations:saved_replies"))
    yield Place(_("Follow-ups"), "calendar-clock", reverse("followups:index"))
    yield Place(_("Templates"), "layout-template", reverse("templates:index"))
    yield Place(_("Notifications"), "bell", reverse("notifications:index"))
    yield Place(_("Keyboard shortcuts"), "keyboard", reverse("accounts:shortcuts"))
