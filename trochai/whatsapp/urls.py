from __future__ import annotations

from django.urls import path

from trochai.whatsapp.webhooks import views

app_name = "whatsapp"

urlpatterns = [path("<uuid:uuid>/", views.webhook, name="webhook")]
