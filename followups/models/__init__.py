"""What follow-ups are kept as; Django looks for models here."""

from __future__ import annotations

from followups.imports.models import Import, ImportRow
from followups.models.attention import (
    Attention,
    AttentionCause,
    AttentionLook,
    AttentionQuerySet,
)
from followups.models.bulk import (
    BulkAction,
    BulkChange,
    BulkChangeQuerySet,
    BulkEnding,
    BulkRefusal,
)
from followups.models.calendar import (
    CalendarCounts,
    CalendarDay,
)
from followups.models.follow_ups import (
    TRANSITIONS,
    UNREAD_FOR,
    CancelCause,
    ChangeKind,
    FailureKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    FollowUpQuerySet,
    HeldReason,
    Outcome,
    Status,
    in_charge,
)
from followups.models.holds import (
    Hold,
    HoldCause,
    HoldQuerySet,
    HoldScope,
    Late,
)
from followups.models.numbers import (
    NumberChange,
)
from followups.models.presets import (
    Preset,
    PresetKind,
)
from followups.models.series import (
    Series,
    SeriesEnd,
    SeriesQuerySet,
)
from followups.models.ticks import (
    Tick,
)

__all__ = [
    "TRANSITIONS",
    "UNREAD_FOR",
    "Attention",
    "AttentionCause",
    "AttentionLook",
    "AttentionQuerySet",
    "BulkAction",
    "BulkChange",
    "BulkChangeQuerySet",
    "BulkEnding",
    "BulkRefusal",
    "CalendarCounts",
    "CalendarDay",
    "CancelCause",
    "ChangeKind",
    "FailureKind",
    "FollowUp",
    "FollowUpAttempt",
    "FollowUpChange",
    "FollowUpQuerySet",
    "HeldReason",
    "Hold",
    "HoldCause",
    "HoldQuerySet",
    "HoldScope",
    "Import",
    "ImportRow",
    "Late",
    "NumberChange",
    "Outcome",
    "Preset",
    "PresetKind",
    "Series",
    "SeriesEnd",
    "SeriesQuerySet",
    "Status",
    "Tick",
    "in_charge",
]
