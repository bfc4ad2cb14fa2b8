"""What members write for each other beside a conversation: never sent, and whoever is named is told."""

from __future__ import annotations

import datetime as dt
import re
import uuid as uuids
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import transaction

from conversations import notices
from conversations.models import Direction, Message, MessageKind
from trochai.accounts.models import User
from trochai.search import fold

if TYPE_CHECKING:
    from conversations.models import Conversation

# Where its content keeps the names of whom it mentions, as they are written, the longest first.
MENTIONS = "mentions"


def add(conversation: Conversation, *, text: str, by: User, now: dt.datetime, uuid: uuids.UUID) -> None:
    """Write a note into the thread; the same ``uuid`` twice is one. Those whom it mentions are told."""
    named = mentioned(text, _colleagues(conversation))
    with transaction.atomic():
        _note, created = Message.objects.get_or_create(
            uuid=uuid,
            defaults={
                "conversation": conversation,
                "channel_id": conversation.channel_id,
                "direction": Direction.NOTE,
                "kind": MessageKind.INTERNAL,
                "text": text,
                "content": {MENTIONS: sorted(set(named.values()), key=len, reverse=True)},
                "sent_by": by,
                "at": now,
            },
        )
        if created:
            conversation.show_in_list()
            notices.announce_mention(conversation, [each for each in named if each != by], by=by, now=now)


def mentioned(text: str, people: Iterable[User]) -> dict[User, str]:
    """Return whom the text names after an @, and how: by the whole name, or by a first name that one has.

    Capitals and accents do not matter.
    """
    names: dict[str, list[User]] = {}
    for person in people:
        for name in {person.name, person.first_name} - {""}:
            names.setdefault(name, []).append(person)
    found: dict[User, str] = {}
    for at in re.finditer("@", text):
        # The longest that fits: @Ana María is not Ana.
        for name in sorted(names, key=len, reverse=True):
            said = text[at.end() : at.end() + len(name)]
            goes_on = re.match(r"\w", text[at.end() + len(name) :])
            if fold(said) == fold(name) and not goes_on:
                if len(names[name]) == 1:
                    found.setdefault(names[name][0], f"@{said}")
                break
    return found


def _colleagues(conversation: Conversation) -> list[User]:
    members = User.objects.filter(memberships__organization=conversation.organization_id, is_active=True)
    return list(members.only("name", "email").order_by("pk"))
