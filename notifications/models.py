"""What a person should know, as a kind of news, its values and a link: no key to an app above this one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from notifications.wording import Mark, Words, in_words, mark_of

if TYPE_CHECKING:
    from trochai.accounts.models import Membership, Organization


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
    # What it is made of: see notifications.wording.
    kind = models.CharField(max_length=32)
    values = models.JSONField(default=dict)
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

    @cached_property
    def words(self) -> Words:
        """Title and text for the person who reads it now."""
        return in_words(self.kind, self.values)

    @property
    def title(self) -> str:
        return self.words.title

    @property
    def text(self) -> str:
        return self.words.text

    @property
    def mark(self) -> Mark:
        return mark_of(self.kind)
