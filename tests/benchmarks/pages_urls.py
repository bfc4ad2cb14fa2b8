"""The product's addresses, and what they are compared with: a signed-in view that does nothing, and Django's
admin with what the follow-ups page offers: the same columns, filters and search."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

from followups.models import FollowUp
from trochai.accounts.access import MemberRequest
from trochai.urls import urlpatterns as of_the_product


class Changelist(admin.ModelAdmin):
    list_display = ("conversation", "template", "scheduled_for", "created_by", "status", "note")
    list_select_related = ("conversation__contact", "template", "created_by")
    list_filter = ("status", "created_by", "template")
    search_fields = ("conversation__contact__name", "conversation__contact__phone", "note")
    ordering = ("-scheduled_for", "-pk")
    list_per_page = 25


site = admin.AdminSite(name="changelist")
site.register(FollowUp, Changelist)


def trivial(request: MemberRequest) -> HttpResponse:
    return HttpResponse(f"<p>{request.membership.organization.name}</p>")


urlpatterns = [path("trivial/", trivial), path("changelist/", site.urls), *of_the_product]
