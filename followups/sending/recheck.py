"""The last look at a follow-up before its call: must it still be sent, and may it be sent now?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from followups.models import FailureKind, FollowUp
from followups.wording.failures import Cause
from trochai.accounts.quiet_hours import next_good_moment, problem_at
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


def quiet_until(follow_up: FollowUp, now: dt.datetime) -> tuple[dt.datetime, str] | None:
    """Return when it is good where the contact is, and the zone in which it is quiet until then, by name.

    None if it need not wait: no rule says so, a person has sent or retried it all the same, or it would
    never be good.
    """
    organization, contact = follow_up.organization, follow_up.conversation.contact
    is_persons_own = follow_up.at_any_hour and not follow_up.failures
    if not organization.quiet_hours_are_a_rule or is_persons_own:
        return None
    zones, rules = contact.zones or (organization.zone,), organization.quiet_hours
    quiet = problem_at(now, zones, rules)
    good = next_good_moment(now, zones, rules) if quiet else None
    return (good, str(quiet.zone)) if quiet and good else None


def contact_free_at(follow_up: FollowUp, busy: Collection[int], now: dt.datetime) -> dt.datetime:
    """Return when the contact may be written to: now, or 6 seconds after the last message.

    ``busy`` holds the conversations to which a message is already on its way.
    """
    if follow_up.conversation_id in busy:
        return now + rate.PAIR_INTERVAL
    last = follow_up.conversation.last_outbound_at
    # By Meta's clock, or another machine's: it may lie ahead.
    return now if last is None else max(now, min(last, now) + rate.PAIR_INTERVAL)
