"""The page on which admins keep their organization's tags."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.forms import BaseModelFormSet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations.models import Tag
from conversations.pages.forms import ManagedTagForm, ManagedTags
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.accounts.models import Organization
from trochai.ui import toasts


@require_http_methods(["GET", "HEAD", "POST"])
def tags(request: MemberRequest) -> HttpResponse:
    """Names, colours and order of all tags in one form; deleting one takes it off its conversations."""
    access.admin(request.membership)
    organization = request.membership.organization
    formset = ManagedTags(request.POST or None, queryset=Tag.objects.for_organization(organization))
    wrong = ""
    if formset.is_bound and formset.is_valid():
        try:
            _save(formset, organization)
        except IntegrityError:
            wrong = _("Another tag has one of these names by now. Look again, and save once more.")
        else:
            return toasts.say(request, redirect("conversations:tags"), title=_("Tags saved"))
    context = {"formset": formset, "wrong": wrong, "section": "inbox"}
    return render(request, "conversations/tags.html", context, status=422 if formset.is_bound else 200)


def _save(formset: BaseModelFormSet[Tag, ManagedTagForm], organization: Organization) -> None:
    with transaction.atomic():
        kept = formset.save(commit=False)
        # Their names may be wanted by the others.
        for tag in formset.deleted_objects:
            tag.delete()
        for tag in kept:
            tag.organization = organization
            tag.save()
