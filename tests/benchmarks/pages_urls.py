"""The product's addresses, and what they are compared with: a signed-in view that does nothing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from trochai.urls import urlpatterns as of_the_product


def trivial(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<p>{request.membership.organization.name}</p>")  # type: ignore[attr-defined]


urlpatterns = [path("trivial/", trivial), *of_the_product]
