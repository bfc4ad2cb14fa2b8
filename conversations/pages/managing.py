"""The pages on which admins keep what their organization shares: its tags and its saved replies."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.forms import BaseModelFormSet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations.models import SavedReply, Tag
from conversations.pages.forms import ManagedReplies, ManagedTags
from conversations.saved_replies import NAME
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.accounts.models import Organization
from trochai.ui import toasts


@require_http_methods(["GET", "HEAD", "POST"])
def tags(request: MemberRequest) -> HttpResponse:
    """Names, colours and order of all tags in one form; deleting one takes it off its conversations."""
    formset = _formset(request, ManagedTags, Tag)
    return _answer(request, formset, page="tags", said=_("Tags saved"))


@require_http_methods(["GET", "HEAD", "POST"])
def saved_replies(request: MemberRequest) -> HttpResponse:
    """Names and texts of all saved replies in one form."""
    formset = _formset(request, ManagedReplies, SavedReply)
    return _answer(request, formset, page="saved_replies", said=_("Replies saved"), placeholder=NAME)


def _formset(request: MemberRequest, formset: Any, model: type[Tag | SavedReply]) -> BaseModelFormSet:
    access.admin(request.membership)
    rows = model.objects.for_organization(request.membership.organization)
    made: BaseModelFormSet = formset(request.POST or None, queryset=rows)
    return made


def _answer(
    request: MemberRequest, formset: BaseModelFormSet, *, page: str, said: str, **context: Any
) -> HttpResponse:
    wrong = ""
    if formset.is_bound and formset.is_valid():
        try:
            _save(formset, request.membership.organization)
        except IntegrityError:
            wrong = _("Another one has one of these names by now. Look again, and save once more.")
        else:
            return toasts.say(request, redirect(f"conversations:{page}"), title=said)
    context |= {"formset": formset, "wrong": wrong, "section": "inbox"}
    status = 422 if formset.is_bound else 200
    return render(request, f"conversations/{page}.html", context, status=status)


def _save(formset: BaseModelFormSet, organization: Organization) -> None:
    with transaction.atomic():
        kept = formset.save(commit=False)
        # Their names may be wanted by the others.
        for row in formset.deleted_objects:
            row.delete()
        for row in kept:
            row.organization = organization
            row.save()
