"""Starting a conversation with a number: the dialog (or page), and its check while people type."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from conversations import starting
from conversations.pages.start_form import StartForm
from trochai.accounts import access
from trochai.accounts.access import MemberRequest

# How WhatsApp lets a business write first.
WAYS = {"template": "conversations:send_template", "follow-up": "followups:schedule"}


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def start(request: MemberRequest) -> HttpResponse:
    """POST leads on to a template, sent now or later (``then``), or to the conversation that there is.

    ``phone`` and ``name`` are what is known already, from a contact card.
    """
    access.writer(request.membership)
    known = {name: request.GET[name] for name in ("phone", "name") if name in request.GET}
    form = StartForm(request.POST or None, initial=known, organization=request.membership.organization)
    if not form.is_bound or not form.is_valid() or form.number is None or form.on is None:
        return _show(request, form)
    if form.known is not None:
        to, conversation = "conversations:conversation", form.known
    else:
        to = WAYS.get(request.POST.get("then", ""), WAYS["template"])
        name, now = form.cleaned_data["name"], timezone.now()
        conversation = starting.start(form.on, form.number.phone, name=name, now=now)
    response = redirect(to, conversation.pk)
    return HttpResponseClientRedirect(response["Location"]) if request.htmx else response


@require_POST
def check(request: MemberRequest) -> HttpResponse:
    """Say what number it is, or what is wrong with it, while people are still typing."""
    access.writer(request.membership)
    form = StartForm(request.POST, organization=request.membership.organization)
    form.full_clean()
    return render(request, "conversations/_start_check.html", {"form": form})


def _show(request: MemberRequest, form: StartForm) -> HttpResponse:
    if not request.htmx:
        template = "conversations/start.html"
    elif form.is_bound:
        template = "conversations/_start_form.html"
    else:
        template = "conversations/_start_dialog.html"
    context = {"form": form, "dialog": bool(request.htmx), "section": "inbox"}
    return render(request, template, context, status=422 if form.is_bound else 200)
