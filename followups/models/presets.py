"""Moments that an organization chooses often."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PresetKind(models.TextChoices):
    """What a preset's number counts."""

    DAYS = "days", _("Days from today")
    WEEKS = "weeks", _("Weeks from today")
    WEEKDAY = "weekday", _("Day of the week, Monday is 1")
    DAY_OF_MONTH = "day", _("Day of the month")


class Preset(models.Model):
    """A moment that an organization chooses often, offered beside the quick options. At most five."""

    MOST: ClassVar[int] = 5

    # Without an index of its own: the constraint's begins with it.
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="presets", db_index=False
    )
    position = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MOST)],
        help_text=_("1 to 5, the order in which they are offered."),
    )
    name = models.CharField(max_length=40, help_text=_("As the dialog calls it: “Monday 8:30 AM”."))
    kind = models.CharField(max_length=8, choices=PresetKind)
    number = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    time = models.TimeField(default=dt.time(9), help_text=_("In the organization’s time zone."))

    class Meta:
        ordering = ["organization", "position"]
        constraints = [
            # Also the order in which a dialog reads an organization's presets.
            models.UniqueConstraint(
                fields=["organization", "position"],
                name="preset_position_is_taken_once",
                violation_error_message=_("Another preset has this position."),
            ),
            models.CheckConstraint(
                condition=Q(position__gte=1, position__lte=5), name="preset_is_one_of_five"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1)
                & (
                    Q(kind="days", number__lte=365)
                    | Q(kind="weeks", number__lte=52)
                    | Q(kind="weekday", number__lte=7)
                    | Q(kind="day", number__lte=31)
                ),
                name="preset_is_possible",
                violation_error_message=_(
                    "At most 365 for days, 52 for weeks, 7 for a weekday, 31 for a day of the month."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse days ahead at which the window would forbid it, at some hours or always."""
        in_days = {"days": 1, "weeks": 7}.get(self.kind)
        if in_days is None or self.number is None or self.organization_id is None:
            return
        window = self.organization
        if not window.min_days < self.number * in_days < window.max_days:
            limits = {"first": window.min_days + 1, "last": window.max_days - 1}
            message = _("Custom dates are limited: choose from %(first)d to %(last)d days.")
            raise ValidationError({"number": message % limits})
