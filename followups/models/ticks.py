"""When the beat job last ran (``followups.sending.ticks``)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Tick(models.Model):
    """One row: when the beat job last ran (``followups.sending.ticks``)."""

    ONLY: ClassVar[int] = 1

    at = models.DateTimeField()
    # When the admins were told that this is too long ago; cleared by the next tick.
    silence_announced_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.at.isoformat()
