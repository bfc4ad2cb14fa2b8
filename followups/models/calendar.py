"""How many follow-ups each day has, kept where they are many (``followups.calendar.kept``)."""

from __future__ import annotations

from django.db import models


class CalendarCounts(models.Model):
    """When an organization's days ahead were counted, where they are too many to count at a look.

    By a task (``followups.calendar.kept``), of the rows: nothing but the calendar depends on it.
    """

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    # Which days of which zone: another one is not what is asked for. Empty while they are few.
    span = models.CharField(max_length=100, blank=True)
    # What had been told to have changed before it was counted (``trochai.changes``).
    token = models.CharField(max_length=32)
    counted_at = models.DateTimeField()
    # Not before this: somebody counts, or has just done so. And when somebody is woken for it.
    next_at = models.DateTimeField(null=True)
    again_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "calendar counts"

    def __str__(self) -> str:
        return f"{self.organization_id} {self.span}"


class CalendarDay(models.Model):
    """How many follow-ups one of these days has: as a whole, and by the hour of the organization's clock."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    day = models.DateField()
    # As ``counting.Counts`` dumps them.
    total = models.JSONField()
    hours = models.JSONField()

    class Meta:
        constraints = [
            # kept.known: the days of a sheet or a week.
            models.UniqueConstraint(fields=["organization", "day"], name="calendar_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.day}"
