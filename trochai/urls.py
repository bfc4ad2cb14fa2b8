from __future__ import annotations

import sys

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import include, path
from django.views.defaults import server_error as django_server_error

from conversations.media.storing import Away
from followups import health


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    return redirect("conversations:inbox")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer with 503 while the database or the files can't be reached, and after a crash as Django does."""
    if not isinstance(sys.exc_info()[1], InterfaceError | OperationalError | Away):
        return django_server_error(request)
    # Without the request: nothing of this page may ask the database again.
    response = render(None, "503.html", status=503)
    response["Retry-After"] = "30"
    return response


handler500 = server_error

urlpatterns = [
    path("", home, name="home"),
    path("", include("trochai.accounts.urls")),
    path("inbox/", include("conversations.urls")),
    path("followups/", include("followups.urls")),
    path("templates/", include("templates_app.urls")),
    path("notifications/", include("notifications.urls")),
    path("webhooks/whatsapp/", include("trochai.whatsapp.urls")),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
]
