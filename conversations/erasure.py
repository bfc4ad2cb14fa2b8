"""Removes who a contact is and all that was said, for good; that something was sent stays counted.

The person is gone at once, with everything by which they are found. What was said may be very much: a worker
deletes it afterwards, and the conversation is nobody's to see meanwhile.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.models import (
    Alias,
    Contact,
    Conversation,
    ConversationStatus,
    Message,
    MessageKind,
    QueuedMessage,
    Upload,
)
from conversations.signals import contact_erased
from conversations.tasks import forget_erased
from notifications.models import Notification
from trochai.waking import waker

if TYPE_CHECKING:
    from trochai.accounts.models import User

# Messages deleted at once.
CHUNK = 500


class Busy(Exception):
    """Something is being sent to the contact at this moment."""

    def __str__(self) -> str:
        return _("Something is being sent to this contact just now. Try again in a minute.")


def erase(contact: Contact, *, by: User, now: dt.datetime) -> None:
    """Make the contact nobody. Raises ``Busy``.

    Sends ``contact_erased`` within the transaction, in which the apps above remove what they know.
    """
    with transaction.atomic():
        found = Q(contact=contact) | Q(contact__merged_into=contact)
        talks = list(Conversation.objects.filter(found).select_for_update(of=("self",)).order_by("pk"))
        queued = QueuedMessage.objects.filter(conversation__in=talks)
        if queued.filter(claim_token__isnull=False).exists():
            raise Busy
        contact_erased.send(sender=Contact, contact=contact, conversations=talks, by=by, now=now)
        queued.delete()
        Upload.objects.filter(conversation__in=talks).delete()
        for talk in talks:
            talk.tags.clear()
        addresses = [reverse("conversations:conversation", args=[talk.pk]) for talk in talks]
        Notification.objects.filter(organization=contact.organization_id, url__in=addresses).delete()
        Conversation.objects.filter(pk__in=[talk.pk for talk in talks]).update(
            erased_at=now,
            status=ConversationStatus.CLOSED,
            assignee=None,
            unread_count=0,
            preview="",
            preview_kind="",
            search_text="",
        )
        _forget_names(contact)
        Contact.objects.filter(Q(pk=contact.pk) | Q(merged_into=contact)).update(
            erased_at=now,
            name="",
            profile_name="",
            phone="",
            timezone="",
            user_ids="",
            search_text="",
            opted_out_by=None,
            agreed_with=None,
        )
        transaction.on_commit(lambda: waker.wake(forget_erased))


def forget_next() -> bool:
    """Delete some of what was said to somebody who is erased; False if nothing is left.

    A template that was sent stays as a bare row: a follow-up may refer to it.
    """
    talk = Conversation.objects.filter(erased_at__isnull=False, is_forgotten=False).order_by("pk").first()
    if talk is None:
        return False
    said = Message.objects.filter(conversation=talk)
    deleted = said.exclude(kind=MessageKind.TEMPLATE).values_list("pk", flat=True)[:CHUNK]
    with transaction.atomic():
        if pks := list(deleted):
            Message.objects.filter(pk__in=pks).delete()
        else:
            # Meta's id has the number in it.
            said.update(whatsapp_id="", text="", content={}, error_values={}, reaction="", language="")
            Conversation.objects.filter(pk=talk.pk).update(is_forgotten=True)
    return True


def _forget_names(contact: Contact) -> None:
    names = {contact.phone, *contact.identities.values_list("user_id", flat=True)} - {""}
    aliases = Alias.objects.filter(organization=contact.organization_id)
    aliases.filter(Q(name__in=names) | Q(stands_for__in=names)).delete()
    contact.identities.all().delete()
