"""What would go wrong with a pending follow-up, found before it does (``followups.attention``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from followups.models.follow_ups import FollowUp, Status, in_charge

if TYPE_CHECKING:
    from trochai.accounts.models import Membership, Organization


class AttentionCause(models.TextChoices):
    """Why a follow-up needs attention, the worst first: it would fail, or misfire, or annoy."""

    TEMPLATE = "template", _("Its template cannot be sent any more")
    OPTED_OUT = "opted_out", _("The contact opted out")
    NUMBER = "number", _("The contact’s number changed")
    LEFT = "left", _("Whoever is in charge has left")
    QUIET = "quiet", _("Quiet hours where the contact is")
    HOLIDAY = "holiday", _("A day off")
    LIMIT = "limit", _("More than WhatsApp lets through that day")


class AttentionQuerySet(models.QuerySet["Attention"]):
    def for_organization(self, organization: Organization) -> Self:
        """Return what still waits for somebody: of pending rows, and not kept as it is.

        Each state is looked up by itself: PostgreSQL takes as few of these rows to be pending as of all
        follow-ups, and would rather read those from end to end than as many as a page counts.
        """
        state = Subquery(FollowUp.objects.filter(pk=OuterRef("follow_up")).values("status")[:1])
        return self.open_in(organization).alias(state=state).filter(state=Status.PENDING)

    def open_in(self, organization: Organization) -> Self:
        """Return what is not kept as it is, also of rows that are being sent, or wait no more."""
        return self.filter(organization=organization, kept_at__isnull=True)

    def repairable_by(self, membership: Membership, *, only_mine: bool = False) -> Self:
        """Return what still waits for this member: of everyone's for an admin, else of what is theirs."""
        if not membership.can_write:
            return self.none()
        if membership.is_admin and not only_mine:
            return self.for_organization(membership.organization)
        return self.of_user(membership.user_id, organization=membership.organization)

    def of_user(self, user_id: int, *, organization: Organization) -> Self:
        """Return what still waits of what this user is in charge of."""
        theirs = in_charge([user_id], of="follow_up__")
        return self.open_in(organization).filter(theirs, follow_up__status=Status.PENDING)


class Attention(models.Model):
    """One cause for which a follow-up needs attention.

    Written by a task after something has changed, and once a night; never in a claim or a settlement: what
    is told of a row that is not pending any more counts no longer, and goes with the next look at it.
    """

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    follow_up = models.ForeignKey(
        FollowUp, on_delete=models.CASCADE, related_name="attention", db_index=False
    )
    cause = models.CharField(max_length=16, choices=AttentionCause)
    # What those of one cause have in common, and are repaired together by: a template, a person, a day.
    subject = models.CharField(max_length=64, blank=True)
    # What fills in the words about it.
    values = models.JSONField(default=dict)
    found_at = models.DateTimeField()
    # Somebody has decided that it goes out all the same; other values ask anew.
    kept_at = models.DateTimeField(null=True)
    kept_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")

    objects = AttentionQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "attention"
        constraints = [
            # attention.look: what is known of some rows.
            models.UniqueConstraint(fields=["follow_up", "cause"], name="attention_once"),
            models.CheckConstraint(
                condition=Q(cause__in=AttentionCause.values), name="attention_cause_is_known"
            ),
        ]
        indexes = [
            # The page's groups, and the rows of one.
            models.Index(
                fields=["organization", "cause", "subject"],
                condition=Q(kept_at__isnull=True),
                name="attention_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.follow_up_id} {self.cause}"


class AttentionLook(models.Model):
    """When all that waits of an organization was last looked at (``attention.looking``)."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    # As of when everything of it was looked at; null until that was done for the first time.
    looked_at = models.DateTimeField(null=True)
    # While a worker is at it: since when.
    begun_at = models.DateTimeField(null=True)

    class Meta:
        # It has no page in the admin.
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.organization_id)
