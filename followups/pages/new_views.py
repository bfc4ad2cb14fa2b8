"""A new follow-up from the list: whom it is for, then the dialog (or page) that schedules."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reswap, retarget

from conversations import starting
from conversations.pages.listing import ORDER
from conversations.pages.start_form import NewContactForm, StartForm
from followups.pages.schedule_views import schedule_for
from followups.pages.search import whose
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.search import typed

SEARCH_LENGTH = 100
MOST_PEOPLE = 6
SHOWN = (
    "last_inbound_at",
    "last_message_at",
    "waiting_count",
    "contact__name",
    "contact__phone",
    "contact__opted_out_at",
    "channel__name",
)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def new(request: MemberRequest) -> HttpResponse:
    """The contacts that ``?q=`` finds, or the last ones, and a number to type; POST goes on with that."""
    access.writer(request.membership)
    form = NewContactForm(request.POST or None, organization=request.membership.organization)
    # The search comes first.
    form.fields["phone"].widget.attrs.pop("autofocus")
    if not form.is_bound or not form.is_valid() or form.number is None or form.on is None:
        return _show(request, form)
    conversation = form.known or starting.start(
        form.on,
        form.number.phone,
        name=form.cleaned_data["name"],
        agreed_with=request.membership.user,
        now=timezone.now(),
    )
    if not request.htmx:
        return redirect("followups:schedule", conversation.pk)
    return schedule_for(request, conversation.pk)


@require_POST
def check(request: MemberRequest) -> HttpResponse:
    """Say what number it is, or what is wrong with it, while people are still typing."""
    access.writer(request.membership)
    form = StartForm(request.POST, organization=request.membership.organization)
    form.full_clean()
    return render(request, "followups/_new_check.html", {"form": form})


def _show(request: MemberRequest, form: StartForm) -> HttpResponse:
    query = typed(request.GET.get("q", ""), most=SEARCH_LENGTH)
    found = whose(query, organization=request.membership.organization).current()
    people = ORDER.sort(found.select_related("contact", "channel").only(*SHOWN))[:MOST_PEOPLE]
    context = {"section": "followups", "form": form, "query": query, "people": people}
    if not request.htmx:
        template = "followups/new.html"
    elif form.is_bound:
        template = "followups/_new_number.html"
    elif request.htmx.target == "people":
        template = "followups/_new_people.html"
    else:
        template = "followups/_new_dialog.html"
    context["dialog"] = bool(request.htmx)
    response = render(request, template, context, status=422 if form.is_bound else 200)
    # The form is for the whole dialog: where the number did not do, it stays.
    return reswap(retarget(response, "#new-number"), "outerHTML") if form.is_bound else response
