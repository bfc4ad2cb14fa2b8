from __future__ import annotations

from django.urls import path

from trochai.accounts import views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("shortcuts/", views.shortcuts, name="shortcuts"),
    path(
        "organizations/<int:membership_id>/switch/",
        views.switch_organization,
        name="switch_organization",
    ),
]
