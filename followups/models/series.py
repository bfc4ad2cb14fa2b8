"""A follow-up that is repeated (``followups.lifecycle.occurrences``)."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from followups.models.follow_ups import FollowUp
from followups.repeating import EndKind, Repeat, RepeatKind, Rule


class SeriesEnd(models.TextChoices):
    """Why a series makes no more follow-ups."""

    DATES = "dates", _("It was the last date")
    MEMBER = "member", _("Ended by a team member")
    REPLY = "reply", _("The contact replied")
    FAILURE = "failure", _("One failed")
    OPT_OUT = "opt_out", _("The contact opted out")
    ERASED = "erased", _("The contact was erased")


class SeriesQuerySet(models.QuerySet["Series"]):
    def live(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def ready(self, now: dt.datetime) -> Self:
        """Return those that may have a next follow-up made: nothing of theirs waits, and its date is near."""
        waiting = FollowUp.objects.unsettled().filter(series=models.OuterRef("pk"))
        # A comparison with each one's own window would find the rows without their index.
        windows = self.live().values_list("organization__max_days", flat=True).distinct()
        is_near = Q(pk__in=[])
        for days in windows:
            is_near |= Q(organization__max_days=days, next_at__lte=now + dt.timedelta(days=days))
        return self.live().filter(is_near).exclude(models.Exists(waiting))


class Series(models.Model):
    """A follow-up that is repeated: what is sent, by which rule, and what ends it.

    Each occurrence is a ``FollowUp`` of its own, made once the one before is settled and its date lies within
    the organization's window (docs/decisions/0033).
    """

    # Without an index: the removal of an organization is the only question by it.
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="series", db_index=False
    )
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.PROTECT, related_name="series"
    )
    template = models.ForeignKey(
        "templates_app.Template", on_delete=models.PROTECT, related_name="series", db_index=False
    )
    # What the next follow-up is made of, as its columns of the same names.
    parameters = models.JSONField(default=dict)
    shape = models.JSONField(default=list)
    note = models.CharField(max_length=500, blank=True)
    cancel_on_reply = models.BooleanField(default=False)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    owner = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    kind = models.CharField(max_length=16, choices=RepeatKind)
    # In the organization's zone, whichever that is when a date is made.
    first_on = models.DateField()
    time = models.TimeField()
    first_number = models.PositiveIntegerField(default=1)
    ends = models.CharField(max_length=8, choices=EndKind)
    count = models.PositiveSmallIntegerField(null=True)
    until = models.DateField(null=True)
    ends_on_failure = models.BooleanField(default=True)
    ends_on_reply = models.BooleanField(default=False)

    # The number of the next date that has no follow-up yet, and when it is: to find it by, for the zone may
    # change. What is made is computed anew.
    next_number = models.PositiveIntegerField(default=2)
    next_at = models.DateTimeField(null=True)
    # Counts what people change, and its end, so that nobody saves over what they have not seen. Also the
    # database's, as processes of the version before write rows during an update.
    version = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    ended_at = models.DateTimeField(null=True)
    # None: the system, or somebody whose account is gone.
    ended_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    end_cause = models.CharField(max_length=8, choices=SeriesEnd, blank=True)

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends=EndKind.NEVER, count__isnull=True, until__isnull=True)
                | Q(ends=EndKind.COUNT, count__gte=2, until__isnull=True)
                | Q(ends=EndKind.DATE, count__isnull=True, until__isnull=False),
                name="series_ends_in_one_way",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end_cause="", next_at__isnull=False)
                | Q(ended_at__isnull=False, end_cause__in=SeriesEnd.values, next_at__isnull=True),
                name="series_has_a_next_date_or_has_ended",
            ),
            models.CheckConstraint(condition=Q(kind__in=RepeatKind.values), name="series_kind_is_known"),
        ]
        indexes = [
            # SeriesQuerySet.ready, each minute.
            models.Index(fields=["next_at"], condition=Q(ended_at__isnull=True), name="series_next"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.kind}"

    @property
    def rule(self) -> Rule:
        return Rule(
            kind=RepeatKind(self.kind),
            first_on=self.first_on,
            time=self.time,
            count=self.count,
            until=self.until,
            first_number=self.first_number,
        )

    @property
    def repeat(self) -> Repeat:
        return Repeat(
            kind=RepeatKind(self.kind),
            ends=EndKind(self.ends),
            count=self.count,
            until=self.until,
            ends_on_failure=self.ends_on_failure,
            ends_on_reply=self.ends_on_reply,
        )

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def in_charge_id(self) -> int | None:
        """The id of whoever is in charge of what it makes."""
        return self.owner_id or self.created_by_id
