"""How late it is where a contact is."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from trochai.ui import formatting
from trochai.whatsapp import phone_numbers

# Of a country from coast to coast nothing is known.
MOST_TIMES = 2


def times_there(phone: str, now: dt.datetime) -> str:
    """Return the times that it may be where the number is; nothing where they are too many."""
    times = formatting.clock_times(now, phone_numbers.zones(phone))
    return _(" or ").join(times) if len(times) <= MOST_TIMES else ""
