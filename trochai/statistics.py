"""What SQLite's planner knows of how many rows an index has for a value: nothing, until it is told to look.

Without that it takes any index that begins with what is asked for to be as good as another, and counts what
is unread by reading all conversations of an organization. PostgreSQL keeps such statistics by itself.
"""

from __future__ import annotations

from django.db import connection


def take() -> None:
    """Read all indexes of an SQLite database: half a second where there are 100,000 follow-ups."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
