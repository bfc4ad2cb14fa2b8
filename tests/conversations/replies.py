"""What the tests of replies do over and over: what a worker does that was woken."""

from __future__ import annotations

from conversations.models import Message
from conversations.tasks import send_replies


def sent(message: Message) -> Message:
    """Have a worker send what waits; return the message as the database has it then."""
    send_replies()
    message.refresh_from_db()
    return message
