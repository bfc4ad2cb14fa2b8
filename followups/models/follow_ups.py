"""A follow-up is a template message scheduled for one contact; an attempt is one call to Meta for it.

``status`` is written by ``followups.lifecycle`` alone.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from followups.repeating import Underway
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import has_unread

if TYPE_CHECKING:
    from trochai.accounts.models import Organization, User


# How long a webhook that nobody could look at may keep an outcome open.
UNREAD_FOR = dt.timedelta(minutes=60)


class Status(models.TextChoices):
    PENDING = "pending", _("Pending")
    PROCESSING = "processing", _("Processing")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


# Every change of status there is. lifecycle makes them, tests walk through the table.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.CANCELED, Status.SENT}),
    Status.PROCESSING: frozenset({Status.SENT, Status.PENDING, Status.FAILED}),
    Status.SENT: frozenset({Status.FAILED}),
    Status.FAILED: frozenset({Status.PENDING, Status.SENT}),
    Status.CANCELED: frozenset({Status.PENDING}),
}


class FailureKind(models.TextChoices):
    """Why a follow-up failed, as far as it decides what can be done about it."""

    TEMPORARY = "temporary", _("Temporary error")
    CHANNEL = "channel", _("WhatsApp channel cannot send")
    PERMANENT = "permanent", _("Refused by WhatsApp")
    UNKNOWN = "unknown", _("Delivery unknown")
    MISSED = "missed", _("Missed")
    RECHECK = "recheck", _("No longer sendable")
    UNDELIVERED = "undelivered", _("Accepted, but not delivered")


class CancelCause(models.TextChoices):
    MEMBER = "member", _("Canceled by a team member")
    REPLY = "reply", _("The contact replied")
    OPT_OUT = "opt_out", _("The contact opted out")


class HeldReason(models.TextChoices):
    """Why a pending follow-up is not sent when its time comes, until a person decides."""

    CONTACT = "contact", _("Nobody knows whose the contact’s number is now")
    RESTORED = "restored", _("It may have been sent before a backup was restored")


def in_charge(people: Collection[int], *, of: str = "") -> Q:
    """Return the condition that one of these users is in charge: the owner, or else who scheduled it.

    ``of``: the path to the follow-up with its underscores, where it is another model's.
    """
    scheduled = Q(**{f"{of}owner__isnull": True, f"{of}created_by__in": people})
    return Q(**{f"{of}owner__in": people}) | scheduled


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.visible().filter(organization=organization)

    def visible(self) -> Self:
        """Leave out deleted rows, which wait 30 days for late webhooks before they are purged."""
        return self.filter(deleted_at__isnull=True)

    def unsettled(self) -> Self:
        """Pending or being sent: exactly these have a ``next_attempt_at`` (a constraint sees to it).

        Asked for by that column, which SQLite too finds in an index of these rows alone.
        """
        return self.filter(next_attempt_at__isnull=False)

    def waiting(self) -> Self:
        """Those that are sent when their time comes: pending, and not held."""
        return self.filter(status=Status.PENDING, held_reason="")

    def due(self, now: dt.datetime) -> Self:
        return self.waiting().filter(next_attempt_at__lte=now)

    def lease_expired(self, now: dt.datetime) -> Self:
        """Claimed, but no call was begun before the lease ran out: safe to claim again."""
        return self.filter(status=Status.PROCESSING, requested_at__isnull=True, lease_expires_at__lte=now)

    def unknown_past(self, now: dt.datetime) -> Self:
        """A call was begun and nobody said how it ended within the reconciliation time.

        While its channel has webhooks that nobody has looked at, that time is longer: up to ``UNREAD_FOR``.
        """
        past = self.filter(status=Status.PROCESSING, requested_at__isnull=False, reconcile_until__lte=now)
        return past.filter(~Q(has_unread(models.OuterRef("channel"))) | Q(requested_at__lte=now - UNREAD_FOR))


class FollowUp(models.Model):
    """A template message for one contact, to be sent at ``scheduled_for``."""

    # Keys without an index of their own: each of a row's three changes on its way to being sent would pay
    # for it. What is asked for by one has an index below that begins with it; a channel's removal has none.
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="follow_ups", db_index=False
    )
    channel = models.ForeignKey(
        "whatsapp.Channel", on_delete=models.PROTECT, related_name="follow_ups", db_index=False
    )
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.PROTECT, related_name="follow_ups", db_index=False
    )
    template = models.ForeignKey(
        "templates_app.Template", on_delete=models.PROTECT, related_name="follow_ups", db_index=False
    )
    # Values by parameter key, and the keys the template had when they were frozen.
    parameters = models.JSONField(default=dict)
    shape = models.JSONField(default=list)
    note = models.CharField(max_length=500, blank=True)
    cancel_on_reply = models.BooleanField(default=False)
    # Somebody has decided that it goes out although the contact has written since: nobody is asked again.
    kept_after_reply = models.BooleanField(default=False, db_default=False)
    created_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, related_name="follow_ups", db_index=False
    )
    # Whom an admin has put in charge instead of its creator.
    owner = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # From the dialog: the same submission twice makes one row.
    submission = models.UUIDField(default=uuid.uuid4, editable=False)
    # What the contact is known as and the note, folded (trochai.search), for one LIKE.
    search_text = models.TextField(blank=True, editable=False)

    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    scheduled_for = models.DateTimeField()
    # When a pending row is due: scheduled_for, or the retry after a temporary error. A processing
    # row keeps it, so that it can be handed back as it was.
    next_attempt_at = models.DateTimeField(null=True)
    # Not empty: it is left alone, and cannot be missed, until somebody releases it.
    held_reason = models.CharField(
        max_length=16,
        choices=HeldReason,
        blank=True,
        default="",
        # Also the database's, as processes of the version before write rows during an update.
        db_default="",
    )
    # A pending row waits until quiet hours end in this time zone.
    quiet_in = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # Somebody has sent or retried it now, whatever hour it is there. Its automatic retries wait all the same.
    at_any_hour = models.BooleanField(default=False, db_default=False, editable=False)
    # Temporary errors since it was scheduled, or since a person retried it.
    failures = models.PositiveSmallIntegerField(default=0)

    # The worker that holds a processing row, until when, and whether its call has begun.
    claim_token = models.UUIDField(null=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    requested_at = models.DateTimeField(null=True, editable=False)
    reconcile_until = models.DateTimeField(null=True, editable=False)

    sent_at = models.DateTimeField(null=True)
    message = models.ForeignKey(
        "conversations.Message", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    failed_at = models.DateTimeField(null=True)
    # The last error, also while a pending row waits for its retry: Meta's code or a cause of ours, and
    # what fills in the words about it (followups.wording.failures).
    failure_kind = models.CharField(max_length=12, choices=FailureKind, blank=True)
    failure_code = models.IntegerField(null=True)
    failure_cause = models.CharField(max_length=32, blank=True)
    failure_values = models.JSONField(default=dict, blank=True)
    # 131049: a manual retry before this makes it worse.
    retry_allowed_at = models.DateTimeField(null=True)
    canceled_at = models.DateTimeField(null=True)
    canceled_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    cancel_cause = models.CharField(max_length=8, choices=CancelCause, blank=True)
    deleted_at = models.DateTimeField(null=True)
    # Counts the changes to what people decide (followups.contents), so that who was shown an older one cannot
    # undo a colleague's change unseen.
    version = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # Of which series it is an occurrence, and which one: most are of none.
    series = models.ForeignKey(
        "followups.Series", on_delete=models.PROTECT, null=True, related_name="follow_ups", db_index=False
    )
    occurrence = models.PositiveIntegerField(null=True)

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "submission"], name="follow_up_once_per_submission"
            ),
            models.UniqueConstraint(
                fields=["message"], condition=Q(message__isnull=False), name="follow_up_once_per_message"
            ),
            # No occurrence twice; also SeriesQuerySet.ready and the newest of a series. Only rows of a series
            # are in its index.
            models.UniqueConstraint(
                fields=["series", "occurrence"],
                condition=Q(series__isnull=False),
                name="follow_up_once_per_occurrence",
            ),
            models.CheckConstraint(
                condition=Q(series__isnull=True, occurrence__isnull=True)
                | Q(series__isnull=False, occurrence__isnull=False),
                name="follow_up_of_a_series_has_a_number",
            ),
            models.CheckConstraint(
                condition=Q(held_reason="") | Q(status=Status.PENDING), name="follow_up_held_while_pending"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        Status.PENDING,
                        Status.PROCESSING,
                        Status.SENT,
                        Status.FAILED,
                        Status.CANCELED,
                    ]
                ),
                name="follow_up_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[Status.PENDING, Status.PROCESSING], next_attempt_at__isnull=False)
                | (~Q(status__in=[Status.PENDING, Status.PROCESSING]) & Q(next_attempt_at__isnull=True)),
                name="follow_up_waiting_is_due_sometime",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=Status.PROCESSING,
                    claim_token__isnull=False,
                    lease_expires_at__isnull=False,
                )
                | (
                    ~Q(status=Status.PROCESSING)
                    & Q(
                        claim_token__isnull=True,
                        lease_expires_at__isnull=True,
                        requested_at__isnull=True,
                        reconcile_until__isnull=True,
                    )
                ),
                name="follow_up_only_processing_is_held",
            ),
            models.CheckConstraint(
                condition=Q(requested_at__isnull=True, reconcile_until__isnull=True)
                | Q(requested_at__isnull=False, reconcile_until__isnull=False),
                name="follow_up_requested_is_reconciled",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.SENT) | Q(message__isnull=False, sent_at__isnull=False),
                name="follow_up_sent_has_message",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.FAILED)
                | Q(failed_at__isnull=False)
                & ~Q(failure_kind="")
                & (Q(failure_code__isnull=False) | ~Q(failure_cause="")),
                name="follow_up_failed_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.CANCELED) | (Q(canceled_at__isnull=False) & ~Q(cancel_cause="")),
                name="follow_up_canceled_says_why",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True)
                | Q(status__in=[Status.FAILED, Status.CANCELED, Status.SENT]),
                name="follow_up_deleted_is_final",
            ),
        ]
        indexes = [
            # lifecycle.claim: due rows, oldest first. With id, so that a burst of ties is not sorted.
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                condition=Q(status=Status.PENDING, held_reason=""),
                name="follow_up_due",
            ),
            # lifecycle.claim: a stopped channel's rows that met the stop, among all that wait for it.
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                condition=Q(status=Status.PENDING, held_reason="", failure_kind=FailureKind.CHANNEL),
                name="follow_up_met_a_stop",
            ),
            # lifecycle.release_expired and lifecycle.give_up_on_unknown: rows that somebody holds.
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status=Status.PROCESSING),
                name="follow_up_held",
            ),
            # listing.page_of and listing.counts_for: the tabs' order and numbers. Each tab has its own index:
            # with one over all statuses PostgreSQL finds Sent by walking past every pending row.
            models.Index(
                fields=["organization", "-scheduled_for", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="follow_up_all",
            ),
            models.Index(
                fields=["organization", "scheduled_for", "id"],
                condition=Q(deleted_at__isnull=True, next_attempt_at__isnull=False),
                name="follow_up_waiting",
            ),
            models.Index(
                fields=["organization", "-scheduled_for", "-id"],
                condition=Q(deleted_at__isnull=True, status=Status.SENT),
                name="follow_up_sent",
            ),
            models.Index(
                fields=["organization", "-scheduled_for", "-id"],
                condition=Q(deleted_at__isnull=True, status=Status.FAILED),
                name="follow_up_failed",
            ),
            models.Index(
                fields=["organization", "-scheduled_for", "-id"],
                condition=Q(deleted_at__isnull=True, status=Status.CANCELED),
                name="follow_up_canceled",
            ),
            # listing.Filters: by creator and by template, also somebody's first few among very many. With
            # what the other filters ask for, so that rows are found and counted without reading them.
            models.Index(
                fields=[
                    "created_by",
                    "organization",
                    "-scheduled_for",
                    "-id",
                    "status",
                    "template",
                    "next_attempt_at",
                ],
                condition=Q(deleted_at__isnull=True),
                name="follow_up_by_creator",
            ),
            models.Index(
                fields=["template", "-scheduled_for", "-id", "status", "next_attempt_at"],
                condition=Q(deleted_at__isnull=True),
                name="follow_up_by_template",
            ),
            # The removal of an account.
            models.Index(
                fields=["canceled_by"],
                condition=Q(canceled_by__isnull=False),
                name="follow_up_canceled_by",
            ),
            # The removal of an account.
            models.Index(
                fields=["owner"],
                condition=Q(owner__isnull=False),
                name="follow_up_owner",
            ),
            # backlog.BacklogCollector: how many wait for a retry.
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status=Status.PENDING, failures__gt=0),
                name="follow_up_retrying",
            ),
            # The conversation's banner, the inbox list's recount, the ceiling of what waits for a contact;
            # the follow-ups of the conversations that a search has found; what moves when two become one.
            models.Index(fields=["conversation", "next_attempt_at"], name="follow_up_of_conversation"),
            # search.search on SQLite: rows that have a note, among all of the organization's.
            models.Index(
                fields=["organization"],
                condition=Q(deleted_at__isnull=True) & ~Q(note=""),
                name="follow_up_noted",
            ),
            # tasks.purge_deleted
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False),
                name="follow_up_deleted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"

    @property
    def failure(self) -> Failure:
        return Failure.of(self, "failure")

    @property
    def underway(self) -> Underway | None:
        """How it is repeated, if it is of a series that has not ended."""
        if self.series is None or not self.series.is_live or self.occurrence is None:
            return None
        # An early one that is tried again may wait after all later ones have been moved.
        return Underway(self.series.rule, max(self.occurrence, self.series.first_number))

    @property
    def in_charge(self) -> User | None:
        """Whose it is: the owner, or whoever scheduled it while it has none."""
        return self.owner or self.created_by

    @property
    def in_charge_id(self) -> int | None:
        """The same person's id, without reading who that is."""
        return self.owner_id or self.created_by_id


class Outcome(models.TextChoices):
    """How a call ended. An attempt without one is in flight, or its worker died."""

    ACCEPTED = "accepted", _("Accepted")
    TEMPORARY = "temporary", _("Temporary error")
    PERMANENT = "permanent", _("Permanent error")
    CHANNEL = "channel", _("Channel error")
    UNKNOWN = "unknown", _("Unknown")


class FollowUpAttempt(models.Model):
    """One call to Meta. Written before the call; its id travels as ``biz_opaque_callback_data``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    follow_up = models.ForeignKey(FollowUp, on_delete=models.CASCADE, related_name="attempts")
    # The claim under which it was made: whoever settles it must still hold the row.
    claim_token = models.UUIDField(editable=False)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    code = models.IntegerField(null=True)
    cause = models.CharField(max_length=32, blank=True)
    # Meta's own words, for operators.
    details = models.CharField(max_length=1000, blank=True)
    # What was sent: template, language, values, and the message as the contact sees it. The template may be
    # another by the time at which it is known how the call ended.
    sent = models.JSONField(null=True, editable=False)

    class Meta:
        ordering = ["requested_at", "pk"]

    def __str__(self) -> str:
        return f"attempt {self.pk} of {self.follow_up_id}"


class ChangeKind(models.TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")
    CANCELED = "canceled", _("Canceled")
    RETRIED = "retried", _("Retried")
    RESTORED = "restored", _("Restored")
    HELD = "held", _("Held")
    RELEASED = "released", _("Released")
    DELETED = "deleted", _("Deleted")
    KEPT = "kept", _("Kept")
    MOVED = "moved", _("Moved")
    EDITED = "edited", _("Changed")
    SENT_NOW = "sent_now", _("Sent now")
    HANDED_OVER = "handed", _("Handed over")


class FollowUpChange(models.Model):
    """What somebody did with a follow-up, written together with it and never changed afterwards."""

    # Without an index of its own: the one below begins with it.
    follow_up = models.ForeignKey(FollowUp, on_delete=models.CASCADE, related_name="changes", db_index=False)
    kind = models.CharField(max_length=10, choices=ChangeKind)
    # None: the system, or somebody whose account is gone. Indexed for the removal of an account.
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    # What the kind needs besides, as JSON: the cause of a cancellation by the system; what was decided before
    # and after (followups.contents); the names of those in charge before and after.
    values = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=ChangeKind.values),
                name="follow_up_change_kind_is_known",
            )
        ]
        indexes = [
            # views.detail: the history of one follow-up, oldest first.
            models.Index(fields=["follow_up", "at", "id"], name="follow_up_history"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.follow_up_id}"
