"""The sign in the inbox list beside conversations that have a follow-up waiting."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext_noop

from conversations.pages.listing import RowMark, row_marks
from followups.models import FollowUp


def waiting_in(conversation_ids: Collection[int]) -> set[int]:
    """Return which of these conversations have a follow-up that waits or is being sent."""
    rows = FollowUp.objects.unsettled().filter(conversation_id__in=conversation_ids)
    return set(rows.values_list("conversation_id", flat=True))


row_marks.append(RowMark("calendar-clock", gettext_noop("Follow-up scheduled"), waiting_in))
