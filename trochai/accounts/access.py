"""The one gate: what belongs to another organization does not exist, what the role forbids is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from trochai.accounts.models import Membership, Organization

M_co = TypeVar("M_co", bound=models.Model, covariant=True)


class OrganizationScoped(Protocol[M_co]):
    """A QuerySet whose rows belong to organizations."""

    def for_organization(self, organization: Organization) -> models.QuerySet[M_co]: ...


class MemberRequest(HttpRequest):
    """A request by a signed-in member; ``MembershipMiddleware`` sets ``membership``, one of all they have."""

    membership: Membership
    memberships: list[Membership]
    # Whether the open pages of the organization are to look again afterwards (trochai.changes.untold).
    may_change: bool
    htmx: HtmxDetails


def writer(membership: Membership) -> None:
    """Raise ``PermissionDenied`` for viewers: for what replies, schedules or changes anything."""
    if not membership.can_write:
        raise PermissionDenied(_("Viewers can look, but not change anything."))


def admin(membership: Membership) -> None:
    """Raise ``PermissionDenied`` for everybody but admins."""
    if not membership.is_admin:
        raise PermissionDenied(_("Only an admin can do this."))


def get_for_member(
    request: MemberRequest,
    queryset: OrganizationScoped[M_co],
    pk: Any,
    *,
    needs: Callable[[Membership], None] | None = None,
) -> M_co:
    """Return the row ``pk`` of ``queryset`` in the member's organization, if the member's role may have it.

    Raises ``Http404`` if it is not there, even if another organization has it, and only then what
    ``needs`` raises: whether somebody else's row exists is nobody's business.
    """
    organization = request.membership.organization
    try:
        row = queryset.for_organization(organization).get(pk=pk)
    except (models.ObjectDoesNotExist, ValueError, OverflowError) as error:
        raise Http404 from error
    if needs is not None:
        needs(request.membership)
    return row
