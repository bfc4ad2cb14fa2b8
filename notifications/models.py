"""What a person should know, as text and a link: no key to an app above this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from trochai.accounts.models import Membership, Organization


class Kind(models.TextChoices):
    FOLLOW_UP_SENT = "follow_up_sent", _("Follow-up sent")
    FOLLOW_UP_FAILED = "follow_up_failed", _("Follow-up failed")
    FOLLOW_UP_CANCELED = "follow_up_canceled", _("Follow-up canceled")
    TEMPLATE_UNUSABLE = "template_unusable", _("Template can’t be sent")
    CHANNEL_STOPPED = "channel_stopped", _("WhatsApp channel stopped")
    SENDING_INTERRUPTED = "sending_interrupted", _("Sending interrupted")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def for_member(self, membership: Membership) -> Self:
        return self.filter(organization_id=membership.organization_id, recipient_id=membership.user_id)

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)


class Notification(models.Model):
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=32, choices=Kind)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=500, blank=True)
    url = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            # notifications.views.index: one person's list, newest first.
            models.Index(
                fields=["recipient", "organization", "-created_at", "-id"],
                name="notification_newest",
            ),
            # The bell's count on every page.
            models.Index(
                fields=["recipient", "organization"],
                condition=Q(read_at__isnull=True),
                name="notification_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.title
