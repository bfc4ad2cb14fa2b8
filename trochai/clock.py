"""The database's clock, by which leases and rates are measured.

Workers on several machines may disagree about the time; the database they share does not.
Everything else takes ``now`` as an argument.
"""

from __future__ import annotations

import datetime as dt
from typing import cast

from django.db import connection
from django.utils import timezone


def database_now() -> dt.datetime:
    """Return the database's current time, in UTC.

    SQLite runs in this process, so its clock is the machine's own.
    """
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return cast("dt.datetime", moment)
