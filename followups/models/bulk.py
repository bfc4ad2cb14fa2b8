"""One change to many follow-ups (``followups.bulk``)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from followups.models.follow_ups import FollowUp

if TYPE_CHECKING:
    from trochai.accounts.models import Organization


class BulkAction(models.TextChoices):
    """What can be done to many at once. Stored, so never renamed."""

    MOVE = "move", _("Move")
    CANCEL = "cancel", _("Cancel")
    HAND_OVER = "hand_over", _("Hand over")
    TEMPLATE = "template", _("Change template")
    DELETE = "delete", _("Delete")


class BulkEnding(models.TextChoices):
    DONE = "done", _("Done")
    STOPPED = "stopped", _("Stopped")
    # Whoever began it may no longer do it, or what it needs (a person, a template) is gone.
    FORBIDDEN = "forbidden", _("No longer allowed")
    BROKEN = "broken", _("Given up")


class BulkChangeQuerySet(models.QuerySet["BulkChange"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def unfinished(self) -> Self:
        return self.filter(finished_at__isnull=True)


class BulkChange(models.Model):
    """One change to many follow-ups, made in chunks (``followups.bulk``)."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=10, choices=BulkAction)
    # What the action needs, and which rows are meant (followups.bulk.actions, followups.bulk.selection).
    values = models.JSONField(default=dict)
    selection = models.JSONField()
    # From the preview: the same submission twice makes one.
    submission = models.UUIDField(default=uuid.uuid4, editable=False)
    # The id of the last row that was looked at, how many were to be, and what became of those that were.
    cursor = models.BigIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)
    changed = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    # How many rows of each person's were changed, by the person's id: they are told once, at the end.
    concerned = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # When a worker last made a chunk of it, and how often in a row that went wrong.
    worked_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=10, choices=BulkEnding, blank=True)

    objects = BulkChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "submission"], name="bulk_once_per_submission"),
            models.CheckConstraint(condition=Q(action__in=BulkAction.values), name="bulk_action_is_known"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, ending="")
                | Q(finished_at__isnull=False, ending__in=BulkEnding.values),
                name="bulk_finished_says_how",
            ),
        ]
        indexes = [
            # The workers' next one, and what the Follow-ups page shows of an organization's.
            models.Index(
                fields=["organization", "worked_at"],
                condition=Q(finished_at__isnull=True),
                name="bulk_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def done(self) -> int:
        """How many rows have been looked at."""
        return self.changed + self.refused


class BulkRefusal(models.Model):
    """A row that a bulk change left as it was, and why (``followups.wording.bulk``)."""

    # Without an index of its own: the one below begins with it.
    bulk_change = models.ForeignKey(
        BulkChange, on_delete=models.CASCADE, related_name="refusals", db_index=False
    )
    # Indexed for its removal.
    follow_up = models.ForeignKey(FollowUp, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=32)

    class Meta:
        indexes = [
            # bulk_views.result: the refusals of one change, as its rows were looked at.
            models.Index(fields=["bulk_change", "id"], name="bulk_refusals"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.follow_up_id}"
