"""Putting another member in charge of a follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_htmx.http import reswap, retarget

from followups import lifecycle
from followups.models import FollowUp
from followups.pages.action_views import check_role, done, not_possible, refused, words
from followups.pages.page import FollowUpsPage
from followups.policies import Action
from trochai.accounts.access import MemberRequest
from trochai.accounts.models import Membership, User

if TYPE_CHECKING:
    from trochai.accounts.models import Organization


class HandOverForm(forms.Form):
    """To which of the organization's members who may write."""

    to = forms.ModelChoiceField(
        queryset=User.objects.none(),
        empty_label=gettext_lazy("Choose somebody…"),
        error_messages={
            "required": gettext_lazy("Choose whom to hand over to."),
            "invalid_choice": gettext_lazy("This person can’t write here. Choose somebody else."),
        },
        widget=forms.Select(attrs={"class": "input select", "aria-describedby": "hand-over-error"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, organization: Organization) -> None:
        super().__init__(data)
        field = cast("forms.ModelChoiceField", self.fields["to"])
        writers = Membership.objects.for_organization(organization).writers()
        field.queryset = User.objects.filter(memberships__in=writers).order_by("name", "pk")


@require_http_methods(["GET", "HEAD", "POST"])
def hand_over(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask to whom, in a dialog or on a page; POST hands it over."""
    page = FollowUpsPage(request, now=timezone.now())
    follow_up = page.find(pk)
    check_role(page, follow_up, Action.HAND_OVER)
    if answer := not_possible(page, follow_up, Action.HAND_OVER):
        return answer
    form = HandOverForm(request.POST or None, organization=page.membership.organization)
    if not form.is_valid():
        return _ask(page, follow_up, form)
    to = form.cleaned_data["to"]
    try:
        changed = lifecycle.hand_over(follow_up, to=to, by=page.membership, now=page.now)
    except lifecycle.TransitionRefused as refusal:
        return refused(page, pk, str(refusal))
    text = _("%(person)s is in charge of %(template)s to %(contact)s.") % {"person": to, **words(changed)}
    return done(page, pk, title=_("Follow-up handed over"), text=text)


def _ask(page: FollowUpsPage, follow_up: FollowUp, form: HandOverForm) -> HttpResponse:
    context = {
        "section": "followups",
        "follow_up": follow_up,
        "form": form,
        "dialog": bool(page.request.htmx),
        "here": page.way_back,
    }
    status = 422 if form.is_bound else 200
    if not page.request.htmx:
        return render(page.request, "followups/hand_over.html", context, status=status)
    if not form.is_bound:
        return render(page.request, "followups/_hand_over_dialog.html", context)
    response = render(page.request, "followups/_hand_over.html", context, status=status)
    return reswap(retarget(response, "#hand-over"), "outerHTML")
