"""How many notifications a member has not read."""

from __future__ import annotations

from notifications.models import Notification
from trochai.accounts.models import Membership


def unread_count(membership: Membership, cap: int = 100) -> int:
    """Return the number of unread ones, at most ``cap``: the bell shows 99+ above 99."""
    return Notification.objects.for_member(membership).unread().order_by()[:cap].count()
