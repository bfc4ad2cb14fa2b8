"""Writes what many contacts wrote at once: what ``receivers`` does for a message, for all of a webhook's.

When a burst goes out, answers come back. Nearly all of them are plain: something that somebody wrote who is
known here by just these names. Those take a handful of statements together; everything else is left to the
receivers, one by one.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

from conversations.acquaintance import Acquaintance
from conversations.bulk_rows import values_of
from conversations.identity import names_of_sender
from conversations.kinds import CONTENT, kind_of
from conversations.models import Contact, Conversation, Message
from conversations.recording import one_line, preview_text, received
from conversations.signals import messages_received
from trochai.copying import insert_all
from trochai.whatsapp import phone_numbers

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage

# The rows are locked. Moments come from the messages; the window never closes earlier than it did.
_ANSWERED = """
        last_inbound_at = CASE WHEN last_inbound_at > latest.at THEN last_inbound_at ELSE latest.at END,
        unread_count = unread_count + moved.answers,
        status = CASE status WHEN 'closed' THEN 'open' ELSE status END
"""
_MOVE = """
    WITH moved (id, message_id, answers, preview, preview_kind, search_text) AS (VALUES {rows})
    UPDATE conversations_conversation SET
        preview = moved.preview,
        search_text = (
            SELECT contact.search_text || moved.search_text FROM conversations_contact contact
            WHERE contact.id = conversations_conversation.contact_id
        ),
        preview_is_outbound = FALSE, last_has_failed = FALSE, preview_kind = moved.preview_kind,
        last_message_at = latest.at, {answered}
    FROM moved JOIN conversations_message latest ON latest.id = moved.message_id
    WHERE conversations_conversation.id = moved.id
"""
# Those that show a later message already: Meta promises no order.
_LEAVE = """
    WITH moved (id, message_id, answers) AS (VALUES {rows})
    UPDATE conversations_conversation SET {answered}
    FROM moved JOIN conversations_message latest ON latest.id = moved.message_id
    WHERE conversations_conversation.id = moved.id
"""


def record_plain(
    channel: Channel, events: Sequence[InboundMessage], *, now: dt.datetime
) -> list[InboundMessage]:
    """Write the plain ones of what a channel's contacts have written; return the others, in their order.

    Works in the caller's transaction and may run again for the same events. Sends ``messages_received``.
    """
    known = _Known(channel, events)
    unread = [event for event in events if not known.is_recorded(event)]
    plain = _apart_from_others(unread, known)
    first: dict[str, InboundMessage] = {}
    for event in plain:
        first.setdefault(event.id, event)
    messages = [
        received(channel, conversation, event, now=now)
        for event in first.values()
        if (conversation := known.conversation_with(event)) is not None
    ]
    if messages:
        insert_all(messages)
        _move_conversations(messages, known)
        _learn_profile_names(known.profile_names(first.values()))
        messages_received.send(sender=Message, messages=messages)
    written = set(map(id, plain))
    return [event for event in unread if id(event) not in written]


def _apart_from_others(events: Sequence[InboundMessage], known: _Known) -> list[InboundMessage]:
    """Return the plain ones of which no other one is about the same person or message.

    Where one of somebody's has more to say, the others keep their places around it.
    """
    plain: list[InboundMessage] = []
    around: list[InboundMessage] = []
    for event in events:
        (plain if known.is_plain(event) else around).append(event)
    names: set[str] = set()
    while around:
        names.update(*map(known.names_in, around))
        around = [event for event in plain if not names.isdisjoint(known.names_in(event))]
        plain = [event for event in plain if names.isdisjoint(known.names_in(event))]
    return plain


def _learn_profile_names(names: Mapping[int, str]) -> None:
    """Write what contacts call themselves by now; whom somebody is just changing says it again."""
    if names:
        free = Contact.objects.filter(pk__in=names).select_for_update(skip_locked=True, no_key=True)
        contacts = list(free.only("pk").order_by("pk"))
        for contact in contacts:
            contact.profile_name = names[contact.pk]
        Contact.objects.bulk_update(contacts, ["profile_name"])


def _move_conversations(messages: Sequence[Message], known: _Known) -> None:
    """Do what ``recording.move_conversation`` does, for all of them at once."""
    by_conversation: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_conversation[message.conversation_id].append(message)
    moved: list[list[Any]] = []
    left: list[list[Any]] = []
    for pk, written in sorted(by_conversation.items()):
        # Of one second, the last.
        latest = max(reversed(written), key=lambda message: message.at)
        if known.shows_later(pk, than=latest.at):
            left.append([pk, latest.pk, len(written)])
        else:
            preview = one_line(latest.text)
            moved.append([pk, latest.pk, len(written), preview, latest.shown_kind, preview_text(preview)])
    with connection.cursor() as cursor:
        for statement, changed in ((_MOVE, moved), (_LEAVE, left)):
            if changed:
                rows, values = values_of(changed)
                cursor.execute(statement.format(rows=rows, answered=_ANSWERED), values)


class _Known:
    """What is known here of some messages and who wrote them; their conversations are locked."""

    def __init__(self, channel: Channel, events: Sequence[InboundMessage]) -> None:
        self._channel = channel
        self._people = Acquaintance(channel, [names_of_sender(event) for event in events])
        self._by_phone = self._read_contacts({event.from_phone for event in events} - {""})
        candidates = [event for event in events if kind_of(event.kind, in_group=event.in_group) is CONTENT]
        contacts = [self._sender_of(event) for event in candidates]
        self._conversations = self._lock({contact.pk for contact in contacts if contact is not None})
        self._by_id = {conversation.pk: conversation for conversation in self._conversations.values()}
        # Read last: whoever writes the same message now waits, or has written it by now.
        written = Message.objects.filter(channel=channel, whatsapp_id__in={event.id for event in candidates})
        self._recorded = set(written.values_list("whatsapp_id", flat=True))
        self._candidates = set(map(id, candidates))

    def is_recorded(self, event: InboundMessage) -> bool:
        return id(event) in self._candidates and event.id in self._recorded

    def is_plain(self, event: InboundMessage) -> bool:
        """Whether writing it into a conversation that is there already is all that it leads to."""
        contact = self._sender_of(event)
        conversation = self.conversation_with(event)
        return (
            id(event) in self._candidates
            and not event.given_phone
            and contact is not None
            and conversation is not None
            and self._people.is_told_nothing_new(contact, names_of_sender(event))
        )

    def shows_later(self, conversation_id: int, *, than: dt.datetime) -> bool:
        conversation = self._by_id[conversation_id]
        return bool(conversation.preview_kind) and conversation.last_message_at > than

    def profile_names(self, events: Iterable[InboundMessage]) -> dict[int, str]:
        """Return by contact what the last of the events calls it, where that is new."""
        names: dict[int, str] = {}
        for event in events:
            contact = self._sender_of(event)
            if contact is not None and event.profile_name not in {"", contact.profile_name}:
                names[contact.pk] = event.profile_name
        return names

    def conversation_with(self, event: InboundMessage) -> Conversation | None:
        contact = self._sender_of(event)
        return self._conversations.get(contact.pk) if contact is not None else None

    def names_in(self, event: InboundMessage) -> set[str]:
        """Return every name of a person or message that the event says, or that its sender has here."""
        sender = self._sender_of(event)
        numbers = {event.from_phone, event.given_phone, event.moved_to_phone}
        ids = {event.id, event.about, event.from_user_id, event.parent_user_id, event.moved_to_user_id}
        if sender is not None:
            numbers, ids = numbers | {sender.phone}, ids | {f"contact {sender.pk}"}
        return {*map(phone_numbers.canonical, numbers), *ids} - {""}

    def _sender_of(self, event: InboundMessage) -> Contact | None:
        if event.from_phone:
            return self._by_phone.get(event.from_phone)
        return self._people.holder_of_id(event.from_user_id)

    def _read_contacts(self, phones: Collection[str]) -> dict[str, Contact]:
        found = Contact.objects.filter(organization=self._channel.organization_id, phone__in=phones)
        return {
            contact.phone: contact for contact in found.only("name", "profile_name", "phone", "first_seen_at")
        }

    def _lock(self, contact_ids: Collection[int]) -> dict[int, Conversation]:
        """Return the conversations by contact; not those that another worker writes to now."""
        rows = Conversation.objects.current().filter(channel=self._channel, contact__in=contact_ids)
        shown = rows.only("contact", "preview_kind", "last_message_at")
        locked = shown.select_for_update(skip_locked=True, no_key=True).order_by("pk")
        return {conversation.contact_id: conversation for conversation in locked}
