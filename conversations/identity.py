"""Who somebody is: found by number or user id, in whichever way WhatsApp spells or changes them.

Every function works in its caller's transaction.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from conversations import merging
from conversations.models import Contact, Direction, Message
from conversations.signals import contact_changed, contact_conflict, contact_moved, contacts_alike
from trochai.whatsapp.json_reading import mapping, text

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage


def sender_of(channel: Channel, event: InboundMessage, *, now: dt.datetime) -> Contact:
    """Find who wrote a message, or make the contact; learn what is new about it.

    Whoever is not known by number or user id, and quotes what was sent to somebody, is that contact: in
    WhatsApp one quotes only what stands in one's own chat.
    """
    phone, user_id = event.from_phone, event.from_user_id
    contact = find(channel, phone=phone, user_id=user_id) or _quoted(channel, event)
    if contact is None:
        contact = contact_of(channel, phone=phone, user_id=user_id, name=event.profile_name)
    learn(contact, phone=phone or event.given_phone, user_id=user_id, name=event.profile_name, now=now)
    return contact


def find(channel: Channel, *, phone: str, user_id: str) -> Contact | None:
    return Contact.objects.reachable_as(organization_id=channel.organization_id, phone=phone, user_id=user_id)


def contact_of(channel: Channel, *, phone: str, user_id: str, name: str = "") -> Contact:
    """Find the contact by phone, else by user id, else make it."""
    contact = find(channel, phone=phone, user_id=user_id)
    if contact is not None:
        return contact
    try:
        with transaction.atomic():
            return Contact.objects.create(
                organization_id=channel.organization_id,
                name=name[:200],
                phone=phone,
                whatsapp_user_id=user_id,
            )
    except IntegrityError:
        contact = find(channel, phone=phone, user_id=user_id)  # another webhook made it meanwhile
        if contact is None:
            raise
        return contact


def learn(contact: Contact, *, phone: str, user_id: str, name: str = "", now: dt.datetime) -> None:
    """Fill what the contact lacks; an existing name is a person's choice and stays.

    A new user id for a known number replaces the old one: Meta gives another when the number changes
    hands. An id or number of another contact is left with that contact.
    """
    news = {}
    if name and not contact.name:
        news["name"] = name[:200]
    if phone and not contact.phone and not _is_anothers(contact, phone=phone):
        news["phone"] = phone
    if news:
        _write(contact, news)
    if user_id and contact.whatsapp_user_id != user_id and _may_take(contact, user_id, now):
        _write(contact, {"whatsapp_user_id": user_id})


def _may_take(contact: Contact, user_id: str, now: dt.datetime) -> bool:
    """Whether the contact may have the id that came with its number; merges with who has had it alone."""
    other = Contact.objects.reachable_as(organization_id=contact.organization_id, phone="", user_id=user_id)
    if other is None:
        return True
    if other.phone:
        contacts_alike.send(sender=Contact, contact=contact, other=other)
        return False
    merging.merge(contact, other, now=now)
    contact.refresh_from_db()
    return contact.whatsapp_user_id != user_id


def move(contact: Contact, *, phone: str, user_id: str) -> bool:
    """The person is found under another number or id from now on; False where another contact has it.

    What waits goes along, as it is sent to the contact. Sends ``contact_moved``, or ``contact_conflict``:
    then nobody but a person can say who is who.
    """
    news = {"phone": phone, "whatsapp_user_id": user_id}
    news = {name: value for name, value in news.items() if value and getattr(contact, name) != value}
    if not news:
        return True
    if _is_anothers(contact, phone=news.get("phone", ""), user_id=news.get("whatsapp_user_id", "")):
        contact_conflict.send(sender=Contact, contact=contact)
        return False
    if "phone" in news and not user_id:
        # Meta gives another one with another number.
        news["whatsapp_user_id"] = ""
    before = contact.display_phone
    if not _write(contact, news):
        contact_conflict.send(sender=Contact, contact=contact)
        return False
    contact_moved.send(sender=Contact, contact=contact, before=before)
    return True


def _quoted(channel: Channel, event: InboundMessage) -> Contact | None:
    quoted = text(mapping(event.content, "context").get("id"))
    if not quoted:
        return None
    sent = Message.objects.filter(channel=channel, whatsapp_id=quoted, direction=Direction.OUTBOUND)
    message = sent.select_related("conversation__contact").first()
    return message.conversation.contact if message is not None else None


def _is_anothers(contact: Contact, *, phone: str = "", user_id: str = "") -> bool:
    for known in ({"phone": phone, "user_id": ""}, {"phone": "", "user_id": user_id}):
        other = Contact.objects.reachable_as(organization_id=contact.organization_id, **known)
        if other is not None and other.pk != contact.pk:
            return True
    return False


def _write(contact: Contact, news: dict[str, str]) -> bool:
    """Write what is new, all or nothing; False where another webhook has given it to somebody else."""
    try:
        with transaction.atomic():
            Contact.objects.filter(pk=contact.pk).update(**news)
    except IntegrityError:
        return False
    # Read again: the row is locked by now, and another webhook may have added to it before.
    contact.refresh_from_db()
    contact.save(update_fields=["search_text"])
    contact_changed.send(sender=Contact, contact=contact)
    return True
