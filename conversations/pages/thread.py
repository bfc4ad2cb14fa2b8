"""One conversation's messages as its page shows them, a window at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from conversations import wording
from conversations.models import Delivery, Message
from conversations.pages.listing import Cursor

if TYPE_CHECKING:
    from conversations.models import Conversation

PAGE_SIZE = 40
# A page that stays open grows with the conversation, up to this.
LONGEST = 400
SYSTEM = "system"


@dataclass(frozen=True)
class Bubble:
    """A message, with a separator above it on a new day and a gap where somebody else speaks."""

    message: Message
    new_day: bool
    new_turn: bool

    @property
    def text(self) -> str:
        return wording.beside_picture(self.message.shown_kind, self.message.text)

    @property
    def can_be_retried(self) -> bool:
        message = self.message
        return (
            message.delivery in {Delivery.FAILED, Delivery.UNKNOWN}
            and message.kind == "text"
            and not message.is_from_follow_up
        )


@dataclass(frozen=True)
class Thread:
    """Messages in the order in which they were written. ``earlier`` is where those before begin."""

    bubbles: list[Bubble]
    first: Cursor | None
    earlier: Cursor | None


def latest(conversation: Conversation, *, since: Cursor | None = None) -> Thread:
    """Return the last messages: a page of them, or all from ``since`` on (at most ``LONGEST``)."""
    if since is None:
        return _thread(conversation, limit=PAGE_SIZE)
    return _thread(conversation, limit=LONGEST, since=since)


def before(conversation: Conversation, cursor: Cursor) -> Thread:
    """Return the page of messages that come before ``cursor``."""
    return _thread(conversation, limit=PAGE_SIZE, until=cursor)


def _thread(
    conversation: Conversation, *, limit: int, since: Cursor | None = None, until: Cursor | None = None
) -> Thread:
    messages = conversation.messages.select_related("sent_by").order_by("-at", "-pk")
    if until is not None:
        messages = messages.filter(until.before("at"))
    if since is not None:
        # With one more, to know whether there are any before.
        page = list(messages.filter(at__gte=since.at)[: limit + 1])
        page = [message for message in page if (message.at, message.pk) >= (since.at, since.pk)]
        more = len(page) > limit or messages.filter(since.before("at")).exists()
    else:
        page = list(messages[: limit + 1])
        more = len(page) > limit
    page = page[:limit][::-1]
    first = Cursor(page[0].at, page[0].pk) if page else None
    return Thread(bubbles=list(_bubbles(page)), first=first, earlier=first if more else None)


def _bubbles(messages: Iterable[Message]) -> Iterable[Bubble]:
    previous: Message | None = None
    for message in messages:
        new_day = previous is None or _day(previous) != _day(message)
        new_turn = (
            not new_day
            and previous is not None
            and (previous.direction, previous.kind == "template", previous.sent_by_id)
            != (message.direction, message.kind == "template", message.sent_by_id)
        )
        yield Bubble(message, new_day=new_day, new_turn=new_turn or new_day)
        previous = message


def _day(message: Message) -> dt.date:
    return timezone.localtime(message.at).date()
