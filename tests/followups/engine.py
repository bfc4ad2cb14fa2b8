"""What the tests of sending do over and over: a tick, and a look at a row as the database has it now."""

from __future__ import annotations

from followups.models import FollowUp
from followups.tasks import send_due_follow_ups


def tick() -> None:
    """Run the beat job in this process, without a broker."""
    send_due_follow_ups(wake_others=False)


def refreshed(follow_up: FollowUp) -> FollowUp:
    return FollowUp.objects.get(pk=follow_up.pk)
