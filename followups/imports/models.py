"""A file of follow-ups to be scheduled, and each of its rows: kept from the upload until a while after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from trochai.accounts.models import Membership, Organization


class State(models.TextChoices):
    UPLOADED = "uploaded", _("Columns to be chosen")
    CHECKING = "checking", _("Being checked")
    CHECKED = "checked", _("Checked")
    SCHEDULING = "scheduling", _("Being scheduled")
    DONE = "done", _("Done")


class Verdict(models.TextChoices):
    UNCHECKED = "", _("Not checked yet")
    READY = "ready", _("Can be scheduled")
    REFUSED = "refused", _("Refused")
    DUPLICATE = "duplicate", _("Duplicate")
    SCHEDULED = "scheduled", _("Scheduled")


class ImportQuerySet(models.QuerySet["Import"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def made_by(self, membership: Membership) -> Self:
        """An import is the business of whoever made it alone: a file may say more than the inbox does."""
        return self.filter(organization=membership.organization_id, created_by=membership.user_id)

    def in_work(self) -> Self:
        return self.filter(state__in=[State.CHECKING, State.SCHEDULING])


class Import(models.Model):
    """One file, what its columns mean, and how far it has come. ``created_by`` schedules what is in it."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED)
    file_name = models.CharField(max_length=100)
    delimiter = models.CharField(max_length=1)
    headings = models.JSONField()
    # What each column becomes (followups.imports.columns.Role), and the choices beside them.
    columns = models.JSONField(default=list)
    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.CASCADE, null=True, related_name="+")
    # None: each row names its own.
    template = models.ForeignKey(
        "templates_app.Template", on_delete=models.CASCADE, null=True, related_name="+"
    )
    date_order = models.CharField(max_length=3, default="dmy")
    # Where a row has none.
    time = models.TimeField()
    # When ``created_by`` said that the people whose numbers are new here have agreed to be written to.
    consent_at = models.DateTimeField(null=True)
    # When a worker last did something for it: they take turns.
    worked_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="import_state_is_known"),
        ]
        indexes = [
            # tasks.work_on_imports: what there is to do.
            models.Index(
                fields=["worked_at"],
                condition=Q(state__in=[State.CHECKING, State.SCHEDULING]),
                name="import_in_work",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each verdict."""
        found = self.rows.order_by().values_list("verdict").annotate(models.Count("pk"))
        return dict.fromkeys(Verdict.values, 0) | dict(found)

    @property
    def progress(self) -> dict[str, int]:
        """Return how many rows have been checked, and of how many."""
        counts = self.counts()
        total = sum(counts.values())
        return {"done": total - counts[Verdict.UNCHECKED], "total": total}

    @property
    def new_contacts(self) -> int:
        """How many people who may get something are not known here yet."""
        new = ImportRow.objects.filter(batch=self, verdict=Verdict.READY, is_new=True)
        return new.order_by().values("phone").distinct().count()

    @property
    def quiet(self) -> int:
        """How many of those that can be scheduled would be quiet where whoever gets them is."""
        return ImportRow.objects.filter(batch=self, verdict=Verdict.READY, is_quiet=True).count()


class ImportRow(models.Model):
    """One line of the file. ``number`` is what a spreadsheet shows beside it: the headings are row 1."""

    # The constraint begins with it.
    batch = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField()
    cells = models.JSONField()
    verdict = models.CharField(max_length=9, choices=Verdict, blank=True, default=Verdict.UNCHECKED)
    # Codes and values, worded when they are read (followups.imports.problems).
    problems = models.JSONField(default=list)
    # As far as it could be read: E.164 in one spelling, so that whoever is erased is found.
    phone = models.CharField(max_length=16, blank=True)
    is_new = models.BooleanField(default=False)
    # Its moment, where whoever gets it is: no reason to refuse it. Also the database's, as processes of the
    # version before write rows during an update.
    is_quiet = models.BooleanField(default=False, db_default=False)
    # What it asks for, as ``FollowUp.submission``: the same again is made once.
    submission = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="import_row_once"),
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="import_verdict_is_known"),
        ]
        indexes = [
            # The next rows to be checked or scheduled, and those of one verdict on the Check page.
            models.Index(fields=["batch", "verdict", "number"], name="import_by_verdict"),
            # checking: what an earlier row asks for as well.
            models.Index(fields=["batch", "submission"], name="import_by_submission"),
            # checking: what is ahead for one contact already; forgetting: the rows of somebody who is erased.
            models.Index(fields=["phone", "batch"], condition=~Q(phone=""), name="import_by_phone"),
        ]

    def __str__(self) -> str:
        return f"row {self.number} of {self.batch_id}"
