"""Sending a template from a conversation, now: the dialog (or page)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from conversations import outbox, window
from conversations.frozen import Frozen
from conversations.merging import find_conversation
from conversations.models import Conversation
from conversations.pages.local_time import times_there
from conversations.pages.template_form import MOST_OFFERED, SendForm, TemplateForm
from templates_app.forms import is_field_name
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.search import typed

if TYPE_CHECKING:
    from conversations.models import Message

SEARCH_LENGTH = 100
CONVERSATIONS = Conversation.objects.select_related("contact", "channel").defer(
    "channel__access_token", "channel__app_secret", "channel__verify_token"
)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def send_template(request: MemberRequest, pk: int) -> HttpResponse:
    """The dialog for htmx, otherwise a page with the same form; POST sends.

    ``?template=`` chooses a template, ``?q=`` searches for one; POST with ``choose`` does it without
    JavaScript, keeping what was typed.
    """
    conversation = find_conversation(request, CONVERSATIONS, pk, needs=access.writer)
    if request.method == "POST" and "choose" not in request.POST:
        return _submit(request, conversation)
    form = SendForm(conversation=conversation, **begun(request))
    return part_of(request, form) or _show(request, form)


def begun(request: MemberRequest) -> dict[str, Any]:
    """Return the arguments of a ``TemplateForm`` in which somebody has begun to choose.

    Values come along with their own template only: another one has other places with the same names. By POST
    ``choose`` is "1" for another one; apps above offer other things to choose.
    """
    if request.method == "POST":
        is_another = request.POST.get("choose") == "1"
        given = request.POST.items()
        initial = {name: value for name, value in given if not (is_another and is_field_name(name))}
    else:
        initial = {name: value for name, value in request.GET.items() if is_field_name(name)}
        initial["template"] = request.GET.get("template", "")
    return {
        "initial": initial,
        "search": typed(request.GET.get("q", ""), most=SEARCH_LENGTH),
        # Without scripts there is no search.
        "most": MOST_OFFERED if request.htmx else None,
    }


def part_of(request: MemberRequest, form: TemplateForm) -> HttpResponse | None:
    """Return what htmx asks for while people choose a template, if it is that."""
    match request.htmx.target:
        case "template-options":
            return render(request, "conversations/_template_options.html", {"form": form})
        case "template-fields":
            context = {"form": form, "swapped": True}
            return render(request, "conversations/_template_fields.html", context)
    return None


def _submit(request: MemberRequest, conversation: Conversation) -> HttpResponse:
    form = SendForm(request.POST, conversation=conversation)
    if not form.is_valid():
        return _show(request, form, status=422)
    template = form.cleaned_data["template"]
    try:
        message = outbox.send_template(
            conversation=conversation,
            template=template,
            values=form.values,
            by=request.membership.user,
            now=timezone.now(),
            uuid=form.cleaned_data["submission"],
        )
    except outbox.ReplyRefused as refusal:
        form.add_error(None, str(refusal))
        return _show(request, form, status=422)
    if not _is(message, conversation, form):
        form.refuse_reuse()
        return _show(request, form, status=422)
    if not request.htmx:
        return redirect("conversations:conversation", conversation.pk)
    response = HttpResponse(status=204)
    trigger_client_event(response, "dialog:close")
    trigger_client_event(response, "inbox:changed")
    return response


def _is(message: Message, conversation: Conversation, form: SendForm) -> bool:
    """Whether ``message`` is what the form asks for, and not what the same form sent before."""
    frozen = Frozen.of(message)
    wanted = (form.cleaned_data["template"].pk, form.values)
    same = frozen is not None and (frozen.template_id, frozen.values) == wanted
    return same and message.conversation_id == conversation.pk


def _show(request: MemberRequest, form: SendForm, status: int = 200) -> HttpResponse:
    """Render the form alone after an error, with the dialog around it at first, or as a page."""
    if not request.htmx:
        template = "conversations/send.html"
    elif form.is_bound:
        template = "conversations/_send_form.html"
    else:
        template = "conversations/_send_dialog.html"
    now, contact = timezone.now(), form.conversation.contact
    context = {
        "form": form,
        "form_url": reverse("conversations:send_template", args=[form.conversation.pk]),
        "conversation": form.conversation,
        "window_open": window.is_open(form.conversation, now),
        "times_there": times_there(contact, now),
        "dialog": bool(request.htmx),
        "section": "inbox",
    }
    return render(request, template, context, status=status)
