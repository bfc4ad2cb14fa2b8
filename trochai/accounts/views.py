from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from trochai.accounts.access import MemberRequest
from trochai.accounts.forms import THROTTLED, SignInForm
from trochai.accounts.middleware import SESSION_KEY
from trochai.accounts.models import Membership
from trochai.accounts.receivers import look_again
from trochai.accounts.throttling import remember_device
from trochai.ui.addresses import path_on_screen


@method_decorator(login_not_required, name="dispatch")
class SignInView(auth_views.LoginView):
    """Email and password."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Once the session has ended, a request for a fragment must take the whole page to the sign-in."""
        details = HtmxDetails(request)
        if details and request.method == "GET":
            query = urlencode({"next": path_on_screen(details), "ended": "1"})
            return HttpResponseClientRedirect(f"{settings.LOGIN_URL}?{query}")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        remember_device(self.request, response, form.cleaned_data["username"])
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, THROTTLED):
            response.status_code = 429
        return response


sign_in = SignInView.as_view()
# Not for members alone: who is one no longer must be able to leave the browser to somebody else.
sign_out = login_not_required(auth_views.LogoutView.as_view())


@require_POST
def switch_organization(request: MemberRequest, membership_id: int) -> HttpResponse:
    """Work in another of one's own organizations from now on."""
    membership = get_object_or_404(Membership, user=request.membership.user, pk=membership_id)
    request.session[SESSION_KEY] = membership.organization_id
    look_again(request.membership.user_id)
    return redirect("conversations:inbox")


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def shortcuts(request: MemberRequest) -> HttpResponse:
    """The list of keyboard shortcuts; POST switches those of a single key on or off, for this member."""
    if request.method == "POST":
        mine = Membership.objects.filter(pk=request.membership.pk)
        mine.update(single_keys="single_keys" in request.POST)
        return HttpResponse(status=204) if request.htmx else redirect("accounts:shortcuts")
    return render(request, f"accounts/{'_shortcuts_dialog' if request.htmx else 'shortcuts'}.html")
