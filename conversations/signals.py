"""Facts that this app has written and that the apps above listen to."""

from __future__ import annotations

from django.dispatch import Signal

# messages: Sequence[Message] (inbound, of one channel). Contacts wrote.
messages_received = Signal()
# message: Message, at: datetime (Meta's). Its delivery status has moved forward, or it failed.
message_status_changed = Signal()
# contact: Contact, now: datetime. The contact wants no more marketing messages.
contact_opted_out = Signal()
# contact: Contact. It wants marketing messages again.
contact_opted_in = Signal()
# contact: Contact. It is taken to be in another time zone.
contact_located = Signal()
# contact: Contact. What it is known as (name, number or user id) has changed.
contact_changed = Signal()
# contact: Contact, before: str (its number, as people write it). It is found under another number or id now.
contact_moved = Signal()
# contact: Contact. WhatsApp says that it has a number or id that another contact has here.
contact_conflict = Signal()
# contact: Contact, conversations: Sequence[Conversation] (locked), by: User, now: datetime. Within the
# transaction that makes it nobody; a receiver that raises ``erasure.Busy`` undoes it.
contact_erased = Signal()
# kept, gone: Conversation, of one channel. Their contacts are one person; ``gone`` is part of ``kept`` now.
conversation_merged = Signal()
# contact, other: Contact. Number and id that came together are of these two, and both have a number.
contacts_alike = Signal()
