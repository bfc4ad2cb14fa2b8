"""The last look at a follow-up before its call: must it still be sent, and may it be sent now?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from followups.models import FailureKind, FollowUp
from followups.wording.failures import Cause
from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api.failures import Failure


def problem_with(follow_up: FollowUp, now: dt.datetime) -> tuple[FailureKind, Failure] | None:
    """Re-check at send time: return why the follow-up must not be sent any more, or None."""
    template, contact = follow_up.template, follow_up.conversation.contact
    limit = dt.timedelta(minutes=follow_up.organization.missed_after_minutes)
    if follow_up.next_attempt_at is not None and now - follow_up.next_attempt_at > limit:
        hours = limit.total_seconds() / 3600
        return FailureKind.MISSED, Failure(cause=Cause.MISSED, values={"hours": hours})
    if contact.is_opted_out:
        return FailureKind.RECHECK, Failure(cause=Cause.OPTED_OUT)
    if not template.is_approved:
        return FailureKind.RECHECK, Failure(cause=Cause.NOT_APPROVED, values={"status": template.status})
    if not template.fits(follow_up.shape):
        return FailureKind.RECHECK, Failure(cause=Cause.CHANGED)
    return None


def contact_free_at(follow_up: FollowUp, busy: Collection[int], now: dt.datetime) -> dt.datetime:
    """Return when the contact may be written to: now, or 6 seconds after the last message.

    ``busy`` holds the conversations to which a message is already on its way.
    """
    if follow_up.conversation_id in busy:
        return now + rate.PAIR_INTERVAL
    last = follow_up.conversation.last_outbound_at
    # By Meta's clock, or another machine's: it may lie ahead.
    return now if last is None else max(now, min(last, now) + rate.PAIR_INTERVAL)
