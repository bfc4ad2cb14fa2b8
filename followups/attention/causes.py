"""What needs somebody's attention about one row that waits (pure)."""

from __future__ import annotations

import datetime as dt

from followups.attention.keeping import Found
from followups.models import AttentionCause, FollowUp
from followups.scheduling import quiet_at
from followups.sending import recheck


def causes_of(
    follow_up: FollowUp, now: dt.datetime, *, has_left: bool, number_before: str
) -> dict[AttentionCause, Found]:
    """Return each cause for which a loaded row that waits needs attention.

    ``has_left``: whoever is in charge of it may not write any more. ``number_before``: the contact's number
    when somebody last decided about the row, if it is another one now.
    """
    found = {
        AttentionCause.TEMPLATE: _template(follow_up),
        AttentionCause.OPTED_OUT: _opted_out(follow_up),
        AttentionCause.NUMBER: _number(follow_up, number_before) if number_before else None,
        AttentionCause.LEFT: _left(follow_up) if has_left else None,
        **_quiet(follow_up, now),
    }
    return {cause: each for cause, each in found.items() if each is not None}


def _template(follow_up: FollowUp) -> Found | None:
    template = follow_up.template
    if recheck.template_problem(template, follow_up.shape) is None:
        return None
    # Approved, it is its parameters that no longer fit.
    return Found(str(template.pk), {"template": template.name, "status": template.status})


def _opted_out(follow_up: FollowUp) -> Found | None:
    contact = follow_up.conversation.contact
    return Found(str(contact.pk), {"contact": contact.display_name}) if contact.is_opted_out else None


def _number(follow_up: FollowUp, before: str) -> Found:
    contact = follow_up.conversation.contact
    values = {"contact": contact.display_name, "before": before, "after": contact.display_phone}
    return Found(str(contact.pk), values)


def _left(follow_up: FollowUp) -> Found:
    """Of somebody whose account is gone nobody knows the name."""
    return Found(str(follow_up.in_charge_id or ""), {"name": str(follow_up.in_charge or "")})


def _quiet(follow_up: FollowUp, now: dt.datetime) -> dict[AttentionCause, Found]:
    """Nobody is needed where it waits by itself, where a person has sent it now, or once it is late."""
    due = follow_up.next_attempt_at
    if due is None or due <= now or recheck.goes_at_any_hour(follow_up):
        return {}
    quiet = quiet_at(due, follow_up.conversation.contact, follow_up.organization)
    if quiet is None or recheck.quiet_until(follow_up, due) is not None:
        return {}
    zone = str(quiet.zone)
    if quiet.day_off is not None:
        found = Found(quiet.local.date().isoformat(), {"name": quiet.day_off, "zone": zone})
        return {AttentionCause.HOLIDAY: found}
    hours = "–".join(f"{time:%H:%M}" for time in quiet.hours or ())
    return {AttentionCause.QUIET: Found("", {"zone": zone, "hours": hours})}
