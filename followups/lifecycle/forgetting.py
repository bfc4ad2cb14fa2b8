"""What becomes of the follow-ups of a contact who is erased: that they were stays, what they say goes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.urls import reverse

from conversations.erasure import Busy
from followups.lifecycle import counts
from followups.lifecycle.changes import canceled, record_all
from followups.models import (
    CancelCause,
    ChangeKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    Series,
    SeriesEnd,
    Status,
)
from notifications.models import Notification
from trochai.changes import Kind, changed

if TYPE_CHECKING:
    from trochai.accounts.models import User


def forget(conversation_ids: Collection[int], *, by: User, now: dt.datetime) -> None:
    """Cancel what waits in these conversations, which are locked, and remove what all were to say.

    Works in the caller's transaction. Raises ``erasure.Busy`` while one is being sent.
    """
    theirs = FollowUp.objects.filter(conversation__in=conversation_ids)
    # Who settles a row locks it before its conversation: nobody waits here for the other.
    locked = list(theirs.select_for_update(skip_locked=True).values_list("pk", "conversation", "status"))
    if len(locked) < theirs.count() or any(status == Status.PROCESSING for _pk, _talk, status in locked):
        raise Busy
    waiting = [(pk, talk) for pk, talk, status in locked if status == Status.PENDING]
    rows = FollowUp.objects.filter(pk__in=[pk for pk, _talk in waiting])
    rows.update(**canceled(CancelCause.MEMBER, by=by, now=now))
    counts.add([talk for _pk, talk in waiting], by=-1)
    record_all({pk: {} for pk, _talk in waiting}, ChangeKind.CANCELED, by=by, now=now)
    theirs.update(parameters={}, note="", search_text="", failure_values={})
    told = FollowUpChange.objects.filter(follow_up__in=theirs, kind__in=[ChangeKind.EDITED, ChangeKind.MOVED])
    told.update(values={})
    series = Series.objects.filter(conversation__in=conversation_ids)
    series.live().update(ended_at=now, ended_by=by, end_cause=SeriesEnd.ERASED, next_at=None)
    series.update(parameters={}, note="")
    FollowUpAttempt.objects.filter(follow_up__in=theirs).update(sent=None, details="")
    organizations = {*theirs.values_list("organization", flat=True)}
    addresses = [reverse("followups:detail", args=[pk]) for pk, _talk, _status in locked]
    Notification.objects.filter(organization__in=organizations, url__in=addresses).delete()
    changed(organizations, [Kind.FOLLOW_UPS])
