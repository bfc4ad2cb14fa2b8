from __future__ import annotations

from django.urls import path

from templates_app import views

app_name = "templates"

urlpatterns = [
    path("", views.index, name="index"),
    path("sync/", views.sync, name="sync"),
    path("sync/result/", views.sync_result, name="sync_result"),
]
