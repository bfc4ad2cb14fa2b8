"""What the tests of sending do over and over: a tick, and a look at a row as the database has it now."""

from __future__ import annotations

from followups import lifecycle
from followups.models import FollowUp
from followups.tasks import send_due_follow_ups


def tick() -> None:
    """Run the beat job in this process, without a broker."""
    send_due_follow_ups(wake_others=False)


def sent_of(claim) -> dict[int, dict]:
    """Return what is to be kept of each message of a claim, as ``lifecycle.request`` takes it."""
    return {row.pk: lifecycle.what_is_sent(row) for row in claim.rows}


def refreshed(follow_up: FollowUp) -> FollowUp:
    return FollowUp.objects.get(pk=follow_up.pk)
