"""Stops of all that is sent, with a reason (``followups.holds``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from trochai.accounts.models import Organization


class HoldScope(models.TextChoices):
    EVERYTHING = "everything", _("Everything")
    ORGANIZATION = "organization", _("All numbers of an organization")
    CHANNEL = "channel", _("One number")


class HoldCause(models.TextChoices):
    """Who has begun a hold."""

    MEMBER = "member", _("An admin of the organization")
    OPERATOR = "operator", _("An operator of Trochai")
    SILENCE = "silence", _("Trochai itself, after nothing had run for long")


class Late(models.TextChoices):
    """What becomes, at a release, of what would fail as missed by now."""

    SEND = "send", _("Sent now")
    TOMORROW = "tomorrow", _("Moved to tomorrow at 9:00")
    LEAVE = "leave", _("Left to fail as missed")


class HoldQuerySet(models.QuerySet["Hold"]):
    def for_organization(self, organization: Organization) -> Self:
        """Return those of the organization and its numbers, which its admins may release."""
        return self.filter(organization=organization)

    def over(self, organization: Organization | models.OuterRef) -> Self:
        """Return those by which anything of the organization is held, also an operator's."""
        return self.filter(Q(organization=organization) | Q(scope=HoldScope.EVERYTHING))

    def in_force(self) -> Self:
        return self.filter(released_at__isnull=True)

    def being_released(self) -> Self:
        return self.in_force().filter(releasing_since__isnull=False)


class Hold(models.Model):
    """A stop of all follow-ups in its scope, with a reason, from ``since`` until ``released_at``.

    It is no status and changes no row: what is in its scope is not claimed. Not to be mixed up with
    ``FollowUp.held_reason``, which is about one row. Kept when it is over.
    """

    REASON_LENGTH: ClassVar[int] = 200

    scope = models.CharField(max_length=12, choices=HoldScope)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, null=True, related_name="holds"
    )
    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.CASCADE, null=True, related_name="holds")
    # Empty where Trochai itself began it and nobody has given another: the words are made when it is read.
    reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    cause = models.CharField(max_length=8, choices=HoldCause)
    # None: by the cause itself, or by somebody whose account is gone.
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    since = models.DateTimeField()
    # Of the silence after which Trochai began it: when something had run last before.
    silent_since = models.DateTimeField(null=True)
    # A release has two steps: it is asked for, and in force until what is late has been dealt with.
    late = models.CharField(max_length=8, choices=Late, blank=True)
    releasing_since = models.DateTimeField(null=True)
    released_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope=HoldScope.EVERYTHING, organization__isnull=True, channel__isnull=True)
                | Q(scope=HoldScope.ORGANIZATION, organization__isnull=False, channel__isnull=True)
                | Q(scope=HoldScope.CHANNEL, organization__isnull=False, channel__isnull=False),
                name="hold_scope_is_named",
            ),
            models.CheckConstraint(
                condition=~Q(reason="") | Q(silent_since__isnull=False), name="hold_says_why"
            ),
            models.CheckConstraint(
                condition=Q(cause=HoldCause.SILENCE, silent_since__isnull=False)
                | (~Q(cause=HoldCause.SILENCE) & Q(silent_since__isnull=True)),
                name="hold_silence_has_a_beginning",
            ),
            models.CheckConstraint(condition=Q(cause__in=HoldCause.values), name="hold_cause_is_known"),
            models.CheckConstraint(
                condition=Q(releasing_since__isnull=True, late="", released_at__isnull=True)
                | Q(releasing_since__isnull=False, late__in=Late.values),
                name="hold_released_by_a_choice",
            ),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(scope=HoldScope.EVERYTHING, released_at__isnull=True),
                name="hold_once_for_everything",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(scope=HoldScope.ORGANIZATION, released_at__isnull=True),
                name="hold_once_per_organization",
            ),
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(scope=HoldScope.CHANNEL, released_at__isnull=True),
                name="hold_once_per_channel",
            ),
        ]
        indexes = [
            # brake.now_held: with each claim and each mark, and nearly no row is in it.
            models.Index(fields=["scope"], condition=Q(released_at__isnull=True), name="hold_in_force"),
        ]

    def __str__(self) -> str:
        return f"{self.channel or self.organization or self.get_scope_display()}: {self.reason}"
