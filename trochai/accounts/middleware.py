"""Sets ``request.membership``: which organization the signed-in person is working in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from trochai import changes
from trochai.accounts.models import Membership, User
from trochai.ui.addresses import path_before

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

    from trochai.accounts.access import MemberRequest

SESSION_KEY = "organization_id"
# Views that change something all the same say so themselves, as those do that are ``untold``.
UNCHANGING = {"GET", "HEAD", "OPTIONS"}


class SignInFirstMiddleware(LoginRequiredMiddleware):
    """Sends who is not signed in to the sign-in, and says there if it was a session that has ended."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        # After signing in people come back to a page: what was posted cannot be posted again by a link.
        is_page = request.method in {"GET", "HEAD"}
        way_back = request.get_full_path() if is_page else path_before(request)
        query = {
            "next": way_back,
            **({"ended": "1"} if settings.SESSION_COOKIE_NAME in request.COOKIES else {}),
        }
        return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode(query, safe='/')}")


class MembershipMiddleware:
    """Attach the membership to every login-only view; the rest of the site has none.

    The organization is the one last switched to, or else the person's first; its time zone is active while
    the view runs, and what a member sends is told there as a change. Raises ``PermissionDenied`` for a person
    without any membership.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            # A page looks up hundreds of words; where no language is active, each costs two exceptions.
            with translation.override(translation.get_language()):
                response = self.get_response(request)
            if getattr(request, "may_change", False):
                changes.changed([cast("MemberRequest", request).membership.organization_id])
            return response
        finally:
            # The thread's next request may need another organization's time zone.
            timezone.deactivate()

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        needs_member = getattr(view, "login_required", True)
        admin_site = request.resolver_match is not None and request.resolver_match.app_name == "admin"
        if not needs_member or admin_site or not isinstance(request.user, User):
            return
        memberships = memberships_of(request.user)
        membership = working_in(memberships, request.session)
        if membership is None:
            raise PermissionDenied(_("You are not a member of any organization."))
        member = cast("MemberRequest", request)
        member.membership, member.memberships = membership, memberships
        member.may_change = request.method not in UNCHANGING and not changes.is_untold(view)
        timezone.activate(membership.organization.zone)


def memberships_of(user: User) -> list[Membership]:
    """Return all that the person has, the oldest first: every page offers to switch between them."""
    memberships = list(Membership.objects.filter(user=user).select_related("organization").order_by("pk"))
    for membership in memberships:
        membership.user = user
    return memberships


def working_in(memberships: Sequence[Membership], session: SessionBase) -> Membership | None:
    """Return the one of a person's memberships that was last switched to, or else the first."""
    chosen = session.get(SESSION_KEY)
    first = memberships[0] if memberships else None
    return next((each for each in memberships if each.organization_id == chosen), first)
