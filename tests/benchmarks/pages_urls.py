"""The product's addresses, and what they are compared with: a signed-in view that does nothing."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path

from trochai.accounts.access import MemberRequest
from trochai.urls import urlpatterns as of_the_product


def trivial(request: MemberRequest) -> HttpResponse:
    return HttpResponse(f"<p>{request.membership.organization.name}</p>")


urlpatterns = [path("trivial/", trivial), *of_the_product]
