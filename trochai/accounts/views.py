from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from trochai.accounts.access import MemberRequest
from trochai.accounts.forms import SignInForm
from trochai.accounts.middleware import SESSION_KEY
from trochai.accounts.models import Membership
from trochai.ui.addresses import path_on_screen


@method_decorator(login_not_required, name="dispatch")
class SignInView(auth_views.LoginView):
    """Email and password. django-axes counts the failures."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Once the session has ended, a request for a fragment must take the whole page to the sign-in."""
        details = HtmxDetails(request)
        if details and request.method == "GET":
            query = urlencode({"next": path_on_screen(details)})
            return HttpResponseClientRedirect(f"{settings.LOGIN_URL}?{query}")
        return super().dispatch(request, *args, **kwargs)


sign_in = SignInView.as_view()
# Not for members alone: who is one no longer must be able to leave the browser to somebody else.
sign_out = login_not_required(auth_views.LogoutView.as_view())


def locked_out(request: HttpRequest, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """Answer a sign-in after too many wrong passwords (called by django-axes)."""
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    context = {"form": SignInForm(request), "locked": True, "minutes": minutes}
    return render(request, "accounts/sign_in.html", context, status=429)


@require_POST
def switch_organization(request: MemberRequest, membership_id: int) -> HttpResponse:
    """Work in another of one's own organizations from now on."""
    membership = get_object_or_404(Membership, user=request.membership.user, pk=membership_id)
    request.session[SESSION_KEY] = membership.organization_id
    return redirect("conversations:inbox")
