"""The last look at a follow-up before its call: must it still be sent, and may it be sent now?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from followups.models import FailureKind, FollowUp
from followups.scheduling import quiet_at, zones_of
from followups.wording.failures import Cause
from trochai.accounts.quiet_hours import next_good_moment
from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api.failures import Failure

if TYPE_CHECKING:
    from templates_app.models import Template


def problem_with(follow_up: FollowUp, now: dt.datetime) -> tuple[FailureKind, Failure] | None:
    """Re-check at send time: return why the follow-up must not be sent any more, or None."""
    limit = dt.timedelta(minutes=follow_up.organization.missed_after_minutes)
    if follow_up.next_attempt_at is not None and now - follow_up.next_attempt_at > limit:
        hours = limit.total_seconds() / 3600
        return FailureKind.MISSED, Failure(cause=Cause.MISSED, values={"hours": hours})
    if follow_up.conversation.contact.is_opted_out:
        return FailureKind.RECHECK, Failure(cause=Cause.OPTED_OUT)
    problem = template_problem(follow_up.template, follow_up.shape)
    return (FailureKind.RECHECK, problem) if problem else None


def template_problem(template: Template, shape: list[str]) -> Failure | None:
    """Return why values that were given for ``shape`` cannot be sent with the template now, or None."""
    if not template.is_approved:
        return Failure(cause=Cause.NOT_APPROVED, values={"status": template.status})
    if not template.fits(shape):
        return Failure(cause=Cause.CHANGED)
    return None


def goes_at_any_hour(follow_up: FollowUp) -> bool:
    """Whether a person has sent or retried it now; its automatic retries are nobody's decision."""
    return follow_up.at_any_hour and not follow_up.failures


def quiet_until(follow_up: FollowUp, now: dt.datetime) -> tuple[dt.datetime, str] | None:
    """Return when it is good where the contact is, and the zone in which it is quiet until then, by name.

    None if it need not wait: no rule says so, a person has sent or retried it all the same, or it would
    never be good.
    """
    organization, contact = follow_up.organization, follow_up.conversation.contact
    if not organization.quiet_hours_are_a_rule or goes_at_any_hour(follow_up):
        return None
    quiet = quiet_at(now, contact, organization)
    zones = zones_of(contact, organization)
    good = next_good_moment(now, zones, organization.quiet_hours) if quiet else None
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
