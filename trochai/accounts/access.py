"""The one gate: what belongs to another organization does not exist, what the role forbids is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from trochai.accounts.models import Membership, Organization

M_co = TypeVar("M_co", bound=models.Model, covariant=True)
View = Callable[..., HttpResponse]


class OrganizationScoped(Protocol[M_co]):
    """A QuerySet whose rows belong to organizations."""

    def for_organization(self, organization: Organization) -> models.QuerySet[M_co]: ...


class MemberRequest(HttpRequest):
    """A request by a signed-in member; ``MembershipMiddleware`` sets ``membership``."""

    membership: Membership
    htmx: HtmxDetails


def get_for_member(request: MemberRequest, queryset: OrganizationScoped[M_co], pk: Any) -> M_co:
    """Return the row ``pk`` of ``queryset`` in the member's organization.

    Raises ``Http404`` if it is not there, even if another organization has it.
    """
    organization = request.membership.organization
    try:
        return queryset.for_organization(organization).get(pk=pk)
    except (models.ObjectDoesNotExist, ValueError, OverflowError) as error:
        raise Http404 from error


def require_writer(view: View) -> View:
    """Refuse viewers (403): for views that reply, schedule or change anything."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.membership.can_write:
            raise PermissionDenied(_("Viewers can look, but not change anything."))
        return view(request, *args, **kwargs)

    return guarded


def require_admin(view: View) -> View:
    """Refuse everybody but admins (403)."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.membership.is_admin:
            raise PermissionDenied(_("Only an admin can do this."))
        return view(request, *args, **kwargs)

    return guarded
