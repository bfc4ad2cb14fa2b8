"""How late it is where a contact is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from trochai.ui import formatting

if TYPE_CHECKING:
    from conversations.models import Contact

# Of a country from coast to coast nothing is known.
MOST_TIMES = 2


def times_there(contact: Contact, now: dt.datetime) -> str:
    """Return the times that it may be where the contact is; nothing where they are too many."""
    times = formatting.clock_times(now, contact.zones)
    return _(" or ").join(times) if len(times) <= MOST_TIMES else ""
