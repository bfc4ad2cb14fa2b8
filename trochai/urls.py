from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from followups import health


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    return redirect("conversations:inbox")


urlpatterns = [
    path("", home, name="home"),
    path("", include("trochai.accounts.urls")),
    path("inbox/", include("conversations.urls")),
    path("followups/", include("followups.urls")),
    path("templates/", include("templates_app.urls")),
    path("notifications/", include("notifications.urls")),
    path("webhooks/whatsapp/", include("trochai.whatsapp.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
]
