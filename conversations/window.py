"""The 24 hours after a contact's last message in which free-form text may be sent (pure).

Source: WhatsApp Cloud API, "Send messages", customer service windows.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversations.models import Conversation

LENGTH = dt.timedelta(hours=24)
# What is left of it when whoever looks is warned.
SOON = dt.timedelta(hours=4)


def closes_at(conversation: Conversation) -> dt.datetime | None:
    """Return when the window closes or closed; None if the contact has never written."""
    if conversation.last_inbound_at is None:
        return None
    return conversation.last_inbound_at + LENGTH


def is_open(conversation: Conversation, now: dt.datetime) -> bool:
    """Whether free-form text may be sent now. Outside the window only templates can be sent."""
    end = closes_at(conversation)
    return end is not None and now < end


def closes_soon(conversation: Conversation, now: dt.datetime) -> bool:
    end = closes_at(conversation)
    return end is not None and now < end < now + SOON
