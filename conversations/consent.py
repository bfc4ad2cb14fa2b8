"""Whether a contact still wants messages.

Meta repeats its webhooks for days and in any order: only the contact's latest word counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from conversations.models import Contact
from conversations.signals import contact_opted_in, contact_opted_out

if TYPE_CHECKING:
    from trochai.accounts.models import User


def opt_out(
    contact: Contact, *, at: dt.datetime, source: str, now: dt.datetime, by: User | None = None
) -> bool:
    """The contact said ``at`` that no more messages are wanted; False if that is not news.

    ``source`` is an ``OptOutSource``, or empty where nobody knows; ``by`` is the member whom they told. Emits
    ``contact_opted_out``, so that the apps above cancel what was waiting.
    """
    unheard = _unless_they_spoke_since(contact, at)
    said = {"opted_out_at": at, "consent_at": at, "opt_out_source": source, "opted_out_by": by}
    if not unheard.filter(opted_out_at__isnull=True).update(**said):
        unheard.update(consent_at=at)
        return False
    _show(contact, said)
    contact_opted_out.send(sender=Contact, contact=contact, now=now)
    return True


def opt_in(contact: Contact, *, at: dt.datetime) -> bool:
    """The contact wants messages again since ``at``; False if that is not news.

    What was canceled stays canceled. Emits ``contact_opted_in``.
    """
    unheard = _unless_they_spoke_since(contact, at)
    said = {"opted_out_at": None, "consent_at": at, "opt_out_source": "", "opted_out_by": None}
    if not unheard.filter(opted_out_at__isnull=False).update(**said):
        unheard.update(consent_at=at)
        return False
    _show(contact, said)
    contact_opted_in.send(sender=Contact, contact=contact)
    return True


def agree(contact: Contact, *, with_member: User, at: dt.datetime) -> None:
    """A member says that the contact has agreed to get messages; who said so first stays."""
    said = {"agreed_at": at, "agreed_with": with_member}
    if Contact.objects.filter(pk=contact.pk, agreed_at=None).update(**said):
        _show(contact, said)


def _show(contact: Contact, said: Mapping[str, object]) -> None:
    for name, value in said.items():
        setattr(contact, name, value)


def _unless_they_spoke_since(contact: Contact, at: dt.datetime) -> QuerySet[Contact]:
    return Contact.objects.filter(Q(consent_at__isnull=True) | Q(consent_at__lte=at), pk=contact.pk)
