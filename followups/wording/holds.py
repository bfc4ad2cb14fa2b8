"""What is said of a hold: what is held, and by whom."""

from __future__ import annotations

from django.utils.translation import gettext as _

from followups.models import HoldCause, HoldScope


def title(scope: str, channel: str) -> str:
    """Say what is held; ``channel`` is its name, where it is one."""
    if scope == HoldScope.CHANNEL:
        return _("Sending from %(channel)s is on hold") % {"channel": channel}
    return _("Sending is on hold")


def who(cause: str, name: str) -> str:
    """Return who has begun it; ``name`` is empty for whoever has left."""
    match cause:
        case HoldCause.OPERATOR:
            return _("Trochai’s operator")
        case HoldCause.SILENCE:
            return _("Trochai")
    return name or _("Somebody who left")
