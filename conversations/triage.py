"""Who looks after a conversation, and how far it has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from conversations import notices
from conversations.models import Conversation, ConversationStatus, Tag
from trochai import changes
from trochai.changes import Kind

if TYPE_CHECKING:
    from trochai.accounts.models import User


# A conversation's status once it is to be looked after again.
REOPENED = Case(
    When(status=ConversationStatus.CLOSED, then=Value(ConversationStatus.OPEN)), default=F("status")
)


def set_status(conversation: Conversation, *, status: ConversationStatus) -> None:
    conversation.status = status
    conversation.save(update_fields=["status"])


def assign(conversation: Conversation, *, to: User | None, by: User, now: dt.datetime) -> None:
    """Let ``to`` look after the conversation; None: nobody in particular. Whoever gets it is told."""
    with transaction.atomic():
        conversation.assignee = to
        conversation.save(update_fields=["assignee"])
        notices.announce_assigned(conversation, to=to, by=by, now=now)


def give_back(conversation_id: int, *, to: int | None) -> None:
    """Give it to the user ``to``, if there is one, where nobody has it or it is closed, and open it."""
    if to is None:
        return
    free = Q(assignee__isnull=True) | Q(status=ConversationStatus.CLOSED)
    Conversation.objects.filter(free, pk=conversation_id).update(assignee=to, status=REOPENED)


def tag(conversation: Conversation, *, add: Collection[Tag] = (), remove: Collection[Tag] = ()) -> None:
    """Put tags of the conversation's own organization on it, or take them off; twice is once."""
    conversation.show_in_list()
    conversation.tags.add(*add)
    conversation.tags.remove(*remove)


def mark_unread(conversation: Conversation) -> None:
    """Have it look as if nobody had read its last message."""
    Conversation.objects.filter(pk=conversation.pk, unread_count=0).update(unread_count=1)


def mark_read(conversation: Conversation) -> bool:
    """What was unread when ``conversation`` was loaded has been seen; a message since then stays unread."""
    if not conversation.unread_count:
        return False
    seen = Conversation.objects.filter(pk=conversation.pk, unread_count=conversation.unread_count)
    if not seen.update(unread_count=0):
        return False
    conversation.unread_count = 0
    changes.changed([conversation.organization_id], [Kind.CONVERSATIONS])
    return True
