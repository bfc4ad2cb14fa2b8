"""Two contacts that turn out to be one person become one, with all that was said to both.

The old rows stay and point to the new ones (``merged_into``), so that links, rows that a worker has in its
hands and late webhooks still find their place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.http import Http404

from conversations import consent
from conversations.models import Contact, Conversation, ConversationStatus, Message, QueuedMessage
from conversations.signals import contact_changed, conversation_merged
from trochai.accounts import access
from trochai.whatsapp import phone_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations.models import ConversationQuerySet
    from trochai.accounts.access import MemberRequest
    from trochai.accounts.models import Membership, Organization

# The countries whose mobiles have two spellings.
SPELLED_TWICE = ("+55", "+52", "+54")


def merge(kept: Contact, gone: Contact, *, now: dt.datetime) -> bool:
    """Make ``gone`` part of ``kept``, which learns what it lacks; False where either is part of another.

    An opt-out of either wins. Sends ``conversation_merged`` for each conversation that both have.
    """
    with transaction.atomic():
        both = Contact.objects.select_for_update().order_by("pk").in_bulk([kept.pk, gone.pk])
        kept, gone = both[kept.pk], both[gone.pk]
        if kept.pk == gone.pk or kept.merged_into_id or gone.merged_into_id:
            return False
        opted_out_at, consent_at = gone.opted_out_at, gone.consent_at
        known = {name: getattr(gone, name) for name in ("name", "phone", "profile_name", "timezone")}
        # First given up by the one, as no two have the same.
        gone.phone, gone.user_ids, gone.merged_into = "", "", kept
        gone.save()
        gone.identities.update(contact=kept)
        for name, value in known.items():
            setattr(kept, name, getattr(kept, name) or value)
        if kept.first_seen_at is not None:
            kept.first_seen_at = gone.first_seen_at and min(kept.first_seen_at, gone.first_seen_at)
        if gone.agreed_at is not None and (kept.agreed_at is None or gone.agreed_at < kept.agreed_at):
            kept.agreed_at, kept.agreed_with = gone.agreed_at, gone.agreed_with
        kept.user_ids, kept.in_doubt_since = kept.ids_of_identities(), None
        kept.save()
        for conversation in gone.conversations.select_for_update().order_by("pk"):
            _join(conversation, kept)
        contact_changed.send(sender=Contact, contact=kept)
        if opted_out_at is not None:
            said_at = consent_at or opted_out_at
            consent.opt_out(kept, at=said_at, source=gone.opt_out_source, by=gone.opted_out_by, now=now)
    return True


def doubles(organization: Organization) -> Iterator[tuple[Contact, Contact]]:
    """Yield the contacts of one number in two spellings, the older one first."""
    first: dict[str, int] = {}
    for country in SPELLED_TWICE:
        contacts = organization.contacts.filter(phone__startswith=country).order_by("pk")
        for pk, phone in contacts.values_list("pk", "phone").iterator():
            older = first.setdefault(phone_numbers.canonical(phone), pk)
            if older != pk:
                both = Contact.objects.in_bulk([older, pk])
                yield both[older], both[pk]


class Erased(Http404):
    """Nothing is left of the conversation that anybody may see."""


def find_conversation(
    request: MemberRequest,
    rows: ConversationQuerySet,
    pk: int,
    *,
    needs: Callable[[Membership], None] | None = None,
) -> Conversation:
    """Return what ``access.get_for_member`` finds, or what that has become part of.

    Raises ``Http404``, and ``Erased``, which is one too, where the contact is erased.
    """
    found = access.get_for_member(request, rows, pk, needs=needs)
    while found.merged_into_id is not None:
        found = access.get_for_member(request, rows, found.merged_into_id, needs=needs)
    if found.erased_at is not None:
        raise Erased
    found.organization = request.membership.organization
    return found


def current(ids: Collection[int]) -> Mapping[int, int]:
    """Return for those conversations that have become part of another one, of which."""
    moved = Conversation.objects.filter(pk__in=ids, merged_into__isnull=False).only("merged_into")
    return {each.pk: each.merged_into_id for each in moved if each.merged_into_id is not None}


def _join(gone: Conversation, contact: Contact) -> None:
    kept = Conversation.objects.select_for_update().filter(channel=gone.channel_id, contact=contact).first()
    if kept is None:
        Conversation.objects.filter(pk=gone.pk).update(contact=contact)
        return
    Message.objects.filter(conversation=gone).update(conversation=kept)
    QueuedMessage.objects.filter(conversation=gone).update(conversation=kept)
    Conversation.objects.filter(merged_into=gone).update(merged_into=kept)
    _summarize(kept, gone)
    kept.tags.add(*gone.tags.all())
    gone.tags.clear()
    Conversation.objects.filter(pk=gone.pk).update(merged_into=kept, unread_count=0, waiting_count=0)
    conversation_merged.send(sender=Conversation, kept=kept, gone=gone)


def _summarize(kept: Conversation, gone: Conversation) -> None:
    """Have the list show the later message of the two, and what is to be done for either."""
    if gone.last_message_at > kept.last_message_at:
        shown = ("last_message_at", "preview", "preview_is_outbound", "preview_kind", "last_has_failed")
        for name in shown:
            setattr(kept, name, getattr(gone, name))
    for name in ("last_inbound_at", "last_outbound_at"):
        moments = [moment for moment in (getattr(kept, name), getattr(gone, name)) if moment is not None]
        setattr(kept, name, max(moments, default=None))
    kept.unread_count += gone.unread_count
    kept.waiting_count += gone.waiting_count
    kept.is_only_started &= gone.is_only_started
    kept.assignee_id = kept.assignee_id or gone.assignee_id
    if kept.status == ConversationStatus.CLOSED:
        kept.status = gone.status
    kept.save()
