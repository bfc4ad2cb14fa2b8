"""Form fields that several of the pages' forms have."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from followups.scheduling import earliest, latest

if TYPE_CHECKING:
    from trochai.accounts.models import Organization

DATE = "%Y-%m-%d"


class DayField(forms.DateField):
    """A day as browsers send it; ``attrs`` are the input's. Whether it must be there the form decides."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(
            required=False,
            input_formats=[DATE],
            error_messages={"invalid": _("Enter the date as year-month-day, like 2026-12-04.")},
            widget=forms.DateInput(attrs={"class": "input", "type": "date", **attrs}, format=DATE),
        )


def window_of_days(now: dt.datetime, organization: Organization) -> dict[str, str]:
    """Return the attributes by which a browser offers only the days of the organization's window."""
    zone = organization.zone
    return {
        "min": earliest(now, organization).astimezone(zone).date().isoformat(),
        "max": latest(now, organization).astimezone(zone).date().isoformat(),
    }
