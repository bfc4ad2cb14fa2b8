"""A place in a list that is ordered by moment and id, as it stands in an address (pure)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Self

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
LAST_ID = 2**63 - 1


@dataclass(frozen=True)
class Cursor:
    """Right behind the row with this moment and id."""

    at: dt.datetime
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // MICROSECOND}-{self.pk}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the cursor that ``str()`` made ``text`` from, or None for anything else."""
        found = re.fullmatch(r"(\d{1,17})-(\d{1,19})", text, re.ASCII)
        if found is None or int(found[2]) > LAST_ID:
            return None
        return cls(EPOCH + int(found[1]) * MICROSECOND, int(found[2]))
