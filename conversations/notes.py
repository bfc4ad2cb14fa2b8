"""Lines in a thread that nobody wrote: what has happened, told where people look.

A note keeps a kind, values that JSON can hold, its moment and where it leads. Each app registers words for
its own kinds, which are made when somebody reads them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from conversations import wording
from conversations.models import Conversation, Direction, Message
from trochai.whatsapp.json_reading import mapping, text


class Words(NamedTuple):
    """A line, and what its link is called."""

    line: str
    link: str = ""


class Note(NamedTuple):
    """A note as a thread shows it; ``url`` is empty where there is nothing to do."""

    line: str
    link: str
    url: str
    icon: str
    tone: str


Wording = Callable[[Mapping[str, Any]], Words]
_wordings: dict[str, tuple[Wording, str, str]] = {}


def words_for(kind: str, *, icon: str, tone: str = "") -> Callable[[Wording], Wording]:
    """Register the decorated function as the one that words this kind; ``tone`` is "bad" or empty."""

    def register(wording: Wording) -> Wording:
        _wordings[kind] = (wording, icon, tone)
        return wording

    return register


def write(
    conversation: Conversation, *, kind: str, values: Mapping[str, Any], url: str, at: dt.datetime
) -> None:
    """Write a line into the thread. It is no message: the conversation stays where it is in the list."""
    write_all([(conversation, values, url)], kind=kind, at=at)


def write_all(
    lines: Iterable[tuple[Conversation, Mapping[str, Any], str]], *, kind: str, at: dt.datetime
) -> None:
    """Write a line into each thread, with its values and its link, in one statement."""
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction=Direction.NOTE,
            kind=kind,
            content={"values": values, "url": url},
            at=at,
        )
        for conversation, values, url in lines
    )


def shown(message: Message) -> Note:
    """Return a note in the reader's language; WhatsApp's own says what WhatsApp says."""
    if message.kind not in _wordings:
        return Note(wording.in_words(message.kind, message.text), "", "", "info", "")
    words, icon, tone = _wordings[message.kind]
    line, link = words(mapping(message.content, "values"))
    return Note(line, link, text(message.content.get("url")) if link else "", icon, tone)
