"""Who is writing in a conversation just now: a hint for colleagues, kept nowhere but in the cache."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from trochai import changes
from trochai.changes import Kind
from trochai.hints import hints
from trochai.ui.formatting import isolated

if TYPE_CHECKING:
    from conversations.models import Conversation
    from trochai.accounts.models import User

# The page says it again every four seconds while somebody writes (js/writing.js).
LASTS = dt.timedelta(seconds=7)


def writes(conversation: Conversation, by: User, *, now: dt.datetime) -> None:
    """Note that a member writes a reply or a note, and tell the open pages if that is news."""
    others = _noted(conversation.pk, now=now)
    is_news = by.pk not in others
    _keep(conversation.pk, {**others, by.pk: (isolated(by.first_name), (now + LASTS).timestamp())})
    if is_news:
        changes.changed([conversation.organization_id], [Kind.WRITING])


def stops(conversation: Conversation, by: User, *, now: dt.datetime) -> None:
    """The member has sent it. What was sent tells the open pages."""
    others = _noted(conversation.pk, now=now)
    if others.pop(by.pk, None) is not None:
        _keep(conversation.pk, others)


def writing(conversation_id: int, *, but: User, now: dt.datetime) -> list[str]:
    """Return the first names of those who write, in their order, without ``but``."""
    return [name for pk, (name, _until) in sorted(_noted(conversation_id, now=now).items()) if pk != but.pk]


def _noted(conversation_id: int, *, now: dt.datetime) -> dict[int, tuple[str, float]]:
    name = _name(conversation_id)
    noted = (hints.read([name]) or {}).get(name, {})
    return {pk: said for pk, said in noted.items() if said[1] > now.timestamp()}


def _keep(conversation_id: int, noted: dict[int, tuple[str, float]]) -> None:
    hints.write({_name(conversation_id): noted}, seconds=LASTS.total_seconds())


def _name(conversation_id: int) -> str:
    return f"writing-{conversation_id}"
