"""Who somebody is: found by number or user id, in whichever way WhatsApp spells or changes them.

A person is named by a number and, at each business portfolio, by a user id that changes with the number. What
Meta says of changes is kept (``Alias``) whoever is known here by then, so that its webhooks may come in any
order. Every function works in its caller's transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import Q

from conversations import merging
from conversations.models import Alias, Contact, Direction, Identity, Message
from conversations.signals import (
    contact_changed,
    contact_conflict,
    contact_located,
    contact_moved,
    contacts_alike,
)
from trochai.whatsapp import phone_numbers
from trochai.whatsapp.json_reading import mapping, text

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import InboundMessage, MessageStatus

# A number that has moved more often than this is followed no further.
MOST_MOVES = 10
_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Names:
    """How Meta names somebody, ``at`` a moment of its clock; what it does not tell is empty."""

    at: dt.datetime
    phone: str = ""
    user_id: str = ""
    parent_user_id: str = ""
    username: str = ""
    profile_name: str = ""


@dataclass(frozen=True)
class _Today:
    """The same names as they are by now; since when others stand in their place, where that is so."""

    phone: str
    user_id: str
    phone_left_at: dt.datetime | None = None
    id_left_at: dt.datetime | None = None

    @property
    def number_of_today(self) -> str:
        """The number; none if it was told with an id of before, as it may have been left together with it."""
        return "" if self.is_only_id_left else self.phone

    @property
    def is_only_id_left(self) -> bool:
        return self.id_left_at is not None and self.phone_left_at is None


def names_of_sender(event: InboundMessage) -> Names:
    return Names(
        at=event.at,
        phone=event.from_phone,
        user_id=event.from_user_id,
        parent_user_id=event.parent_user_id,
        username=event.username,
        profile_name=event.profile_name,
    )


def names_of_recipient(event: MessageStatus) -> Names:
    return Names(event.at, event.phone, event.user_id, event.parent_user_id, event.username)


def sender_of(channel: Channel, event: InboundMessage, *, now: dt.datetime) -> Contact:
    """Find who wrote a message, or make the contact; learn what is new about it.

    Whoever is not known by number or user id, and quotes what was sent to somebody, is that contact: in
    WhatsApp one quotes only what stands in one's own chat.
    """
    names = names_of_sender(event)
    contact = find(channel, names) or _quoted(channel, event) or contact_of(channel, names)
    learn(channel, contact, replace(names, phone=names.phone or event.given_phone), now=now)
    return contact.merged_into or contact


def find(channel: Channel, names: Names) -> Contact | None:
    """Return who was called by these names at their moment: by number, else by id."""
    return _holder(channel, _as_of_today(channel, names), names.parent_user_id)


def contact_of(channel: Channel, names: Names) -> Contact:
    """Find the contact, or make it."""
    contact = find(channel, names)
    if contact is not None:
        return contact
    try:
        with transaction.atomic():
            return _make(channel, names)
    except IntegrityError:
        contact = find(channel, names)  # another webhook made it meanwhile
        if contact is None:
            raise
        return contact


def learn(channel: Channel, contact: Contact, names: Names, *, now: dt.datetime) -> None:
    """Fill what the contact lacks; an existing name is a person's choice and stays.

    A number or id of another contact is left with that contact, unless the two turn out to be one. Another id
    with the contact's number than before means that the number may be somebody else's by now: sends
    ``contact_conflict``.
    """
    today = _as_of_today(channel, names)
    if today.is_only_id_left and names.phone:
        _keep(channel, "", names.phone, today.user_id, until=today.id_left_at)
    news: dict[str, object] = {}
    if names.profile_name not in {"", contact.profile_name}:
        news["profile_name"] = names.profile_name
    if names.profile_name and not contact.name:
        news["name"] = names.profile_name
    if contact.first_seen_at is not None and names.at < contact.first_seen_at:
        news["first_seen_at"] = names.at
    if not contact.phone and (phone := today.number_of_today) and _is_free(channel, phone):
        news["phone"] = phone
    if news:
        _write(contact, news)
    if today.user_id:
        _learn_id(channel, contact, names, today, now=now)


def move(
    channel: Channel, old: Names, *, phone: str = "", user_id: str = "", now: dt.datetime
) -> Contact | None:
    """Meta says that a person has another number or id since ``old.at``; return who that is here.

    What waits goes along, as it is sent to the contact. Sends ``contact_moved``; or ``contact_conflict``,
    where somebody else has the number here: then nobody but a person can say who is who.
    """
    # By the names of just before, also where it was heard of this move already.
    contact = find(channel, replace(old, at=old.at - dt.timedelta(microseconds=1)))
    _keep(channel, "", old.phone, phone, until=old.at)
    _keep(channel, channel.portfolio, old.user_id, user_id, until=old.at)
    if contact is None or _was_first_seen_after(contact, old.at):
        return None
    # There may have been another move since.
    today = _as_of_today(channel, Names(old.at, phone, user_id))
    _settle(channel, contact, phone=today.phone, user_id=today.user_id, at=old.at, now=now)
    return contact


def learn_wa_id(channel: Channel, *, sent_to: str, wa_id: str) -> None:
    """WhatsApp calls a number otherwise than it was written to: whoever answers may come under that name.

    ``sent_to`` is empty where somebody was written to by user id.
    """
    name = f"+{wa_id.removeprefix('+')}"
    if name == sent_to or not sent_to or not wa_id.removeprefix("+").isdigit():
        return
    if name in phone_numbers.spellings(sent_to):
        return
    contact = Contact.objects.with_number(channel.organization_id, sent_to)
    other = Contact.objects.with_number(channel.organization_id, name)
    if contact is not None and other is not None:
        contacts_alike.send(sender=Contact, contact=contact, other=other)
    elif contact is not None:
        _keep(channel, "", name, sent_to, until=None)


def rename(contact: Contact, name: str) -> None:
    """Call the contact as a member does from now on."""
    with transaction.atomic():
        _write(contact, {"name": name})


def locate(contact: Contact, zone: str) -> None:
    """Take the contact to be in this time zone from now on, or where the number says (an empty name)."""
    if Contact.objects.filter(pk=contact.pk).exclude(timezone=zone).update(timezone=zone):
        contact_located.send(sender=Contact, contact=contact)


def trust(contact: Contact) -> None:
    """A person has decided that the contact is found under its number."""
    Contact.objects.filter(pk=contact.pk).update(in_doubt_since=None)


def rescope(organization_id: int, *, before: str, portfolio: str, now: dt.datetime) -> None:
    """The portfolio of an account has become known: the ids that held for the account hold for all of it."""
    ids = Identity.objects.filter(organization=organization_id, portfolio=before)
    for identity in ids.select_related("contact").order_by("pk"):
        known = Identity.objects.filter(
            organization=organization_id, portfolio=portfolio, user_id=identity.user_id
        ).select_related("contact")
        same = known.first()
        if same is None:
            Identity.objects.filter(pk=identity.pk).update(portfolio=portfolio)
            continue
        identity.delete()
        if same.contact_id != identity.contact_id:
            _join(same.contact, identity.contact, now=now)
    said = Alias.objects.filter(organization=organization_id, portfolio=before)
    moved = [
        Alias(
            organization_id=organization_id,
            portfolio=portfolio,
            name=alias.name,
            stands_for=alias.stands_for,
            until=alias.until,
        )
        for alias in said
    ]
    Alias.objects.bulk_create(moved, ignore_conflicts=True)
    said.delete()


def _as_of_today(channel: Channel, names: Names) -> _Today:
    """Follow what Meta has said of the names since; one query where it has said nothing."""
    of_number = Q(portfolio="", name__in=phone_numbers.spellings(names.phone)) if names.phone else Q(pk=None)
    of_id = Q(portfolio=channel.portfolio, name=names.user_id) if names.user_id else Q(pk=None)
    said = Alias.objects.filter(of_number | of_id, organization=channel.organization_id)
    number_aliases = [alias for alias in said if not alias.portfolio]
    id_aliases = [alias for alias in said if alias.portfolio]
    phone, phone_left_at = _followed(names.phone, number_aliases, names.at)
    # An id is nobody else's later: whenever it was used, it stands for the new one.
    user_id, id_left_at = _followed(names.user_id, id_aliases, _EVER)
    if phone and not phone.startswith("+"):
        # It was left for another one that Meta has not told.
        phone, user_id = "", phone
    return _Today(phone, user_id, phone_left_at, id_left_at)


def _followed(name: str, aliases: list[Alias], at: dt.datetime) -> tuple[str, dt.datetime | None]:
    """Return what ``name``, as it was used ``at`` a moment, has become, and when the last change was."""
    left_at = None
    for _step in range(MOST_MOVES):
        later = [each for each in aliases if each.until is None or at < each.until]
        if not later:
            break
        alias = min(later, key=lambda each: (each.until is not None, each.until or at, each.pk))
        # The next change is a later one, even if it leads back.
        name, at, left_at = alias.stands_for, alias.until or at, alias.until or left_at
        of_name = Q(name=name) if alias.portfolio else Q(name__in=phone_numbers.spellings(name))
        known = Alias.objects.filter(of_name, organization=alias.organization_id, portfolio=alias.portfolio)
        aliases = list(known.exclude(pk=alias.pk))
    return name, left_at


def _holder(channel: Channel, today: _Today, parent_user_id: str) -> Contact | None:
    if today.phone:
        contact = Contact.objects.with_number(channel.organization_id, today.phone)
        if contact is not None:
            return contact
    return _holder_of_id(channel, today.user_id, parent_user_id)


def _holder_of_id(channel: Channel, user_id: str, parent_user_id: str = "") -> Contact | None:
    identities = Identity.objects.filter(organization=channel.organization_id).select_related("contact")
    found = identities.filter(portfolio=channel.portfolio, user_id=user_id).first() if user_id else None
    if found is None and parent_user_id:
        found = identities.filter(parent_user_id=parent_user_id).order_by("-known_at", "pk").first()
    return found.contact if found is not None else None


def _make(channel: Channel, names: Names) -> Contact:
    today = _as_of_today(channel, names)
    contact = Contact.objects.create(
        organization_id=channel.organization_id,
        name=names.profile_name,
        profile_name=names.profile_name,
        phone=today.number_of_today,
        user_ids=today.user_id,
        first_seen_at=names.at,
    )
    if today.user_id:
        _add(channel, contact, names, today.user_id)
        _refresh(contact)
    return contact


def _add(
    channel: Channel,
    contact: Contact,
    names: Names,
    user_id: str,
    *,
    retired_at: dt.datetime | None = None,
) -> None:
    Identity.objects.create(
        contact=contact,
        organization_id=channel.organization_id,
        portfolio=channel.portfolio,
        user_id=user_id,
        parent_user_id=names.parent_user_id,
        username=names.username,
        known_at=names.at,
        retired_at=retired_at,
    )


def _learn_id(channel: Channel, contact: Contact, names: Names, today: _Today, *, now: dt.datetime) -> None:
    identities = Identity.objects.filter(organization=channel.organization_id, portfolio=channel.portfolio)
    if today.is_only_id_left and today.id_left_at is not None:
        # The contact has been moved before it was known by the id of before.
        if not _was_first_seen_after(contact, today.id_left_at):
            _settle(channel, contact, user_id=today.user_id, at=today.id_left_at, now=now)
        return
    known = identities.filter(user_id=today.user_id).select_related("contact").first()
    if known is not None and known.contact_id != contact.pk:
        _join(contact, known.contact, now=now)
        return
    if known is not None:
        _complete(known, names)
        return
    current = identities.filter(contact=contact, retired_at=None).order_by("-known_at").first()
    is_of_before = today.phone_left_at is not None and today.id_left_at is None
    if is_of_before or (current is not None and names.at <= current.known_at):
        _add(channel, contact, names, today.user_id, retired_at=today.phone_left_at or names.at)
        _refresh(contact)
        return
    if current is not None:
        Identity.objects.filter(pk=current.pk).update(retired_at=names.at)
    try:
        with transaction.atomic():
            _add(channel, contact, names, today.user_id)
    except IntegrityError:
        return  # another webhook has given it to somebody else
    _refresh(contact)
    if current is not None and contact.phone and names.phone:
        _doubt(contact, at=names.at)


def _complete(identity: Identity, names: Names) -> None:
    """Add to an identity what is told of it for the first time, or has changed."""
    told = {"parent_user_id": names.parent_user_id, "username": names.username}
    news = {key: value for key, value in told.items() if value and getattr(identity, key) != value}
    if news and names.at >= identity.known_at:
        Identity.objects.filter(pk=identity.pk).update(**news, known_at=names.at)
        _refresh(identity.contact)


def _join(contact: Contact, other: Contact, *, now: dt.datetime) -> None:
    """Meta has named a number and an id, of these two, together; two with numbers are left to a person."""
    if contact.phone and other.phone:
        contacts_alike.send(sender=Contact, contact=contact, other=other)
        return
    kept, gone = (other, contact) if other.phone else (contact, other)
    merging.merge(kept, gone, now=now)
    contact.refresh_from_db()


def _settle(
    channel: Channel,
    contact: Contact,
    *,
    phone: str = "",
    user_id: str = "",
    at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Have the contact found under another number and id since ``at``; without a number by the id alone."""
    identities = Identity.objects.filter(organization=channel.organization_id, portfolio=channel.portfolio)
    mine = identities.filter(contact=contact, user_id=user_id, retired_at=None).exists() if user_id else True
    if mine and (not phone or contact.phone in phone_numbers.spellings(phone)):
        return
    by_number = Contact.objects.with_number(channel.organization_id, phone) if phone else None
    for other in {by_number, _holder_of_id(channel, user_id)} - {contact, None}:
        if other is None:
            continue
        if other.phone and not _is_of_the_time_after(other, at):
            _doubt(contact, at=at)
            return
        phone = phone or other.phone
        merging.merge(contact, other, now=now)
    contact.refresh_from_db()
    before = contact.display_phone
    if contact.phone and not phone:
        _keep(channel, "", contact.phone, user_id, until=at)
    if phone != contact.phone:
        # With another number Meta gives another id at every portfolio.
        old_ids = Identity.objects.filter(contact=contact, retired_at=None, known_at__lte=at)
        old_ids.exclude(portfolio=channel.portfolio, user_id=user_id).update(retired_at=at)
    elif user_id:
        old_ids = identities.filter(contact=contact, retired_at=None, known_at__lte=at)
        old_ids.exclude(user_id=user_id).update(retired_at=at)
    if user_id and not identities.filter(user_id=user_id).exists():
        _add(channel, contact, Names(at), user_id)
    news = {"phone": phone, "user_ids": contact.ids_of_identities(), "in_doubt_since": None}
    if _write(contact, news):
        contact_moved.send(sender=Contact, contact=contact, before=before)
    else:
        _doubt(contact, at=at)


def _doubt(contact: Contact, *, at: dt.datetime) -> None:
    Contact.objects.filter(pk=contact.pk).update(in_doubt_since=at)
    contact.in_doubt_since = at
    contact_conflict.send(sender=Contact, contact=contact)


def _is_free(channel: Channel, phone: str) -> bool:
    return Contact.objects.with_number(channel.organization_id, phone) is None


def _was_first_seen_after(contact: Contact, at: dt.datetime) -> bool:
    """Whether somebody else has the number since: a webhook brought the contact, and of a later moment."""
    return contact.first_seen_at is not None and contact.first_seen_at > at


def _is_of_the_time_after(contact: Contact, at: dt.datetime) -> bool:
    """Whether all that is known of the contact is of the time after a move: then it is the one who moved."""
    return contact.first_seen_at is not None and contact.first_seen_at >= at


def _keep(channel: Channel, portfolio: str, name: str, stands_for: str, *, until: dt.datetime | None) -> None:
    if name and stands_for and name != stands_for:
        alias = Alias(
            organization_id=channel.organization_id,
            portfolio=portfolio,
            name=name,
            stands_for=stands_for,
            until=until,
        )
        Alias.objects.bulk_create([alias], ignore_conflicts=True)


def _quoted(channel: Channel, event: InboundMessage) -> Contact | None:
    quoted = text(mapping(event.content, "context").get("id"))
    if not quoted:
        return None
    sent = Message.objects.filter(
        channel=channel, whatsapp_id=quoted, direction=Direction.OUTBOUND, conversation__erased_at=None
    )
    message = sent.select_related("conversation__contact").first()
    return message.conversation.contact if message is not None else None


def _refresh(contact: Contact) -> None:
    """Have the contact searched by the ids that it has by now."""
    ids = contact.ids_of_identities()
    if ids != contact.user_ids:
        _write(contact, {"user_ids": ids})


def _write(contact: Contact, news: Mapping[str, object]) -> bool:
    """Write what is new, all or nothing; False where another webhook has given it to somebody else."""
    try:
        with transaction.atomic():
            Contact.objects.filter(pk=contact.pk).update(**news)
    except IntegrityError:
        return False
    # Read again: the row is locked by now, and another webhook may have added to it before.
    contact.refresh_from_db()
    contact.save(update_fields=["search_text"])
    if news.keys() & {"name", "phone", "user_ids"}:
        contact_changed.send(sender=Contact, contact=contact)
    return True
