"""A channel is one WhatsApp number; a webhook delivery is one POST from Meta, kept until processed."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.fields import EncryptedTextField

if TYPE_CHECKING:
    from trochai.accounts.models import Organization


def new_verify_token() -> str:
    return secrets.token_urlsafe(24)


def account_scope(waba_id: str) -> str:
    return f"waba:{waba_id}"


class ChannelQuerySet(models.QuerySet["Channel"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)


class Channel(models.Model):
    """One WhatsApp business number, and what is needed to send from it."""

    # Public: part of the webhook URL.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="channels"
    )
    name = models.CharField(max_length=100)
    display_phone_number = models.CharField(max_length=32)
    phone_number_id = models.CharField(max_length=64, unique=True)
    waba_id = models.CharField(_("WhatsApp Business Account ID"), max_length=64)
    # The business portfolio that owns the account; empty until Meta has told it. See whatsapp.portfolios.
    portfolio_id = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    access_token = EncryptedTextField(blank=True)
    app_secret = EncryptedTextField(blank=True)
    verify_token = EncryptedTextField(default=new_verify_token)
    # Meta's 80 a second counts inbound messages too; 75 leaves room for them.
    messages_per_second = models.PositiveSmallIntegerField(
        default=75, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    # Set when Meta says that the token, the number or the account cannot be used (class P errors):
    # nothing is sent until it works again.
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_code = models.IntegerField(null=True, blank=True)
    stop_cause = models.CharField(max_length=32, blank=True)
    stop_values = models.JSONField(default=dict, blank=True, editable=False)
    # While it is stopped: when to find out whether it works again. See trochai.whatsapp.probes.
    next_probe_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The line's rate over all workers: the next free slot. See trochai.whatsapp.rate.
    next_slot_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the list of templates was last fetched, and since when there is a reason to fetch it again.
    templates_synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    templates_wanted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What Meta has said of it last, by its name for the event. See trochai.whatsapp.account_news.
    account_news = models.JSONField(default=dict, editable=False)
    # Meta's name of how many people its portfolio may write to first within 24 hours, and when it was said;
    # empty until it is known. See trochai.whatsapp.messaging_limits.
    messaging_limit = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    messaging_limit_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(stopped_at__isnull=True) | Q(stop_code__isnull=False) | ~Q(stop_cause=""),
                name="channel_stopped_says_why",
            ),
            models.CheckConstraint(
                condition=Q(messages_per_second__gte=1, messages_per_second__lte=1000),
                name="channel_rate_is_possible",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def portfolio(self) -> str:
        """Where Meta's user ids hold: they belong to a portfolio. Until it is known, to the account alone."""
        return self.portfolio_id or account_scope(self.waba_id)

    # What ``stop_reason`` is made of, for ``only()``.
    STOP_FIELDS: ClassVar[tuple[str, ...]] = ("stop_code", "stop_cause", "stop_values")

    @property
    def is_stopped(self) -> bool:
        return self.stopped_at is not None

    @property
    def stop(self) -> Failure:
        return Failure.of(self, "stop")

    @property
    def stop_reason(self) -> str:
        """Why it is stopped, in the reader's language."""
        return self.stop.words()


def has_unread(channel: models.OuterRef) -> models.Exists:
    """Return the condition that ``channel`` has webhook deliveries that no worker has looked at yet.

    What they say of a message is not known before: whoever waits for it waits on.
    """
    return models.Exists(
        WebhookDelivery.objects.filter(
            # They may have come to the address of another number.
            channel__organization__channels=channel,
            processed_at__isnull=True,
            next_attempt_at__isnull=False,
            claims=0,
        )
    )


class UnknownNumber(models.Model):
    """A number, or an account, of which Meta reports to a channel's address and which is no channel here."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="unknown_numbers")
    # Empty where Meta names only the account.
    phone_number_id = models.CharField(max_length=255, blank=True)
    waba_id = models.CharField(max_length=255)
    # Events.
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "phone_number_id", "waba_id"], name="unknown_number_once_per_channel"
            )
        ]

    def __str__(self) -> str:
        return self.phone_number_id or self.waba_id


class GroupMessages(models.Model):
    """How much was said in groups in which a channel's number is: that is left out, and counted."""

    channel = models.OneToOneField(
        Channel, on_delete=models.CASCADE, primary_key=True, related_name="group_messages"
    )
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "group messages"

    def __str__(self) -> str:
        return f"{self.count} ({self.channel_id})"


class WebhookDelivery(models.Model):
    """One POST body from Meta, verified and stored before it was answered with 200."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    # How often a worker has begun with it, and how many of its events are done in this try.
    claims = models.PositiveSmallIntegerField(default=0)
    done = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            # whatsapp.tasks.process_waiting_webhooks: what a lost task left behind, a channel's oldest first.
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                condition=Q(processed_at__isnull=True, next_attempt_at__isnull=False),
                name="webhook_delivery_due",
            ),
            # whatsapp.tasks.purge_webhooks: processed ones are kept for some days.
            models.Index(
                fields=["processed_at"],
                condition=Q(processed_at__isnull=False),
                name="webhook_delivery_processed",
            ),
            # webhooks.deliveries.set_aside: nearly no row is in it.
            models.Index(
                fields=["id"],
                condition=Q(processed_at__isnull=False) & ~Q(error=""),
                name="webhook_delivery_set_aside",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.received_at:%Y-%m-%d %H:%M:%S}"
