"""Erasing a contact: the question (a dialog or a page), which asks for the name to be typed."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from conversations import erasure
from conversations.merging import find_conversation
from conversations.models import Conversation
from conversations.pages.forms import EraseForm
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.ui import toasts


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def erase(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask; POST with the contact's name as ``typed`` removes the contact and all that was said, for good."""
    rows = Conversation.objects.select_related("contact")
    opened = find_conversation(request, rows, pk, needs=access.admin)
    form = EraseForm(opened.contact, request.POST or None)
    if form.is_valid():
        try:
            erasure.erase(opened.contact, by=request.membership.user, now=timezone.now())
        except erasure.Busy as busy:
            form.add_error("typed", str(busy))
        else:
            return toasts.say(request, redirect("conversations:inbox"), title=_("Contact erased"))
    template = "_erase_dialog" if request.htmx else "erase"
    context = {"form": form, "conversation": opened, "dialog": bool(request.htmx), "section": "inbox"}
    status = 422 if form.is_bound else 200
    return render(request, f"conversations/{template}.html", context, status=status)
