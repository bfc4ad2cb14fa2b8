"""Whether a contact still wants messages.

Meta repeats its webhooks for days and in any order: only the contact's latest word counts.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, QuerySet

from conversations.models import Contact
from conversations.signals import contact_opted_out


def opt_out(contact: Contact, *, at: dt.datetime, now: dt.datetime) -> bool:
    """The contact said ``at`` that no more messages are wanted; False if that is not news.

    Emits ``contact_opted_out``, so that the apps above cancel what was waiting.
    """
    unheard = _unless_they_spoke_since(contact, at)
    if not unheard.filter(opted_out_at__isnull=True).update(opted_out_at=at, consent_at=at):
        unheard.update(consent_at=at)
        return False
    contact.opted_out_at = contact.consent_at = at
    contact_opted_out.send(sender=Contact, contact=contact, now=now)
    return True


def opt_in(contact: Contact, *, at: dt.datetime) -> None:
    """The contact wants messages again since ``at``. What was canceled stays canceled."""
    if _unless_they_spoke_since(contact, at).update(opted_out_at=None, consent_at=at):
        contact.opted_out_at, contact.consent_at = None, at


def _unless_they_spoke_since(contact: Contact, at: dt.datetime) -> QuerySet[Contact]:
    return Contact.objects.filter(Q(consent_at__isnull=True) | Q(consent_at__lte=at), pk=contact.pk)
